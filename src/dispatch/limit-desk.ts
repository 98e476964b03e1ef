/** Lets the turns of a task through the limits of their model, its provider and the task's API key. */
import type { Gate, Shut } from '../gates/gate.ts'
import type { Refusal } from '../gates/gatekeeper.ts'
import type { Cooldowns } from '../limits/cooldowns.ts'
import type { Limiter, LimitRequest, TurnCost } from '../limits/limiter.ts'
import type { LiveTask } from '../records/record-reader.ts'
import type { TaskRecord } from '../records/task-record.ts'
import { limitsFor } from '../routing/limits-for.ts'
import type { RoutingTable } from '../routing/table.ts'
import type { Spending } from '../sessions/backend.ts'
import { messagesOf } from '../tasks/input.ts'
import type { ModelID } from '../tasks/model-id.ts'
import { estimateMessage } from '../tasks/prompt-size.ts'
import type { Usage } from '../tasks/usage.ts'
import { candidatesOf, chooseModel } from './choose-model.ts'
import { shutOf } from './shut-limit.ts'

export interface LimitDeskDeps {
  limiter: Limiter
  table(): RoutingTable
  /** Lets these tasks be delivered now. */
  wake(taskIDs: readonly string[]): Promise<void>
  /** Of those tasks, the ones that are not over. */
  liveTasks(ids: readonly string[]): Promise<LiveTask[]>
  now(): number
}

/** What only a worker knows. */
export interface ChoiceDeps {
  cooldowns: Cooldowns
  modelsOf(record: TaskRecord): readonly ModelID[]
}

/** What this process knows of a task that it runs. */
interface Held {
  limits: readonly string[]
  model: ModelID
  /** No turn was begun yet with what it holds. */
  isFresh: boolean
  spent: TurnCost | undefined
}

export type LimitDesk = ReturnType<typeof createLimitDesk>

const NOTHING: TurnCost = { requests: 0, tokens: 0 }
/** How much the last turn counts in what turns of a model are expected to cost. */
const NEWS = 0.2

/** One per process: it knows which of the tasks here hold what. */
export function createLimitDesk(deps: LimitDeskDeps) {
  const { limiter, table, wake, liveTasks, now } = deps
  const held = new WeakMap<TaskRecord, Held>()
  /** What turns of a model have cost here: what OpenCode adds to a prompt can be known by this only. */
  const usualTokens = new Map<ModelID, number>()

  /** `undefined`: the table limits nothing. Without `choice` the gate can only be left. */
  function gateOf(record: TaskRecord, choice?: ChoiceDeps): Gate | undefined {
    const { caps } = table()
    // One that waited here is known here, whatever the table says by now.
    const hasWaited = record.waitingFor?.reason === 'limit'
    if ((!caps?.size && !hasWaited) || record.compare !== null) return undefined
    let wasAsked = false
    return {
      reason: 'limit',
      heldFor: 'run',
      async enter(task) {
        const { cooldowns, modelsOf } = choice!
        wasAsked = !hasWaited
        const candidates = candidatesOf(task, modelsOf(task))
        const model =
          candidates === undefined
            ? (task.checkpoint?.model ?? task.model)
            : (await chooseModel(task.id, candidates, cooldowns)).model
        const limits = limitsFor(model, task.key, table())
        if (limits.length === 0) {
          if (hasWaited) await limiter.leave(task.id)
          wasAsked = true
          return { status: 'open' }
        }
        const how = candidates === undefined ? 'sent' : 'start'
        return (await ask(task, { model, limits, how })) ?? { status: 'open' }
      },
      async leave(taskID) {
        const mine = held.get(record)
        // One that was asked here and had no limits holds nothing.
        if (!wasAsked || mine !== undefined) {
          held.delete(record)
          await limiter.leave(taskID, mine?.spent)
        }
        return []
      },
      isOpenTo: limiter.isGranted,
    }
  }

  /**
   * Before each turn of a task that runs. At once `undefined` where nothing limits it, or it was let through for this
   * turn already. What it resolves to is why it must wait; it holds nothing then.
   */
  function begin(record: TaskRecord, model: ModelID): Promise<Refusal | undefined> | undefined {
    const limits = limitsFor(model, record.key, table())
    const mine = held.get(record)
    if (limits.length === 0 && mine === undefined) return undefined
    if (mine?.isFresh && sameNames(mine.limits, limits)) {
      mine.isFresh = false
      return undefined
    }
    return beginNext(record, model, limits)
  }

  async function beginNext(
    record: TaskRecord,
    model: ModelID,
    limits: readonly string[],
  ): Promise<Refusal | undefined> {
    if (limits.length === 0) {
      const spent = held.get(record)?.spent
      held.delete(record)
      await limiter.leave(record.id, spent)
      return undefined
    }
    const shut = await ask(record, { model, limits, how: 'next' })
    if (shut === undefined) {
      held.get(record)!.isFresh = false
      return undefined
    }
    const { detail, until, wakeInMs } = shut
    const isOpenNow = () => limiter.isGranted(record.id)
    return { status: 'shut', waitingFor: { reason: 'limit', detail, until }, wakeInMs, isOpenNow }
  }

  /** A turn is over, and this is what it has cost; counted with the next that is asked of the limits. */
  function ended(record: TaskRecord, spendings: readonly Spending[]): void {
    const mine = held.get(record)
    if (mine === undefined) return
    const own = spendings.filter(({ model }) => model === mine.model)
    const tokens = own.reduce((sum, { usage }) => sum + tokensOf(usage), 0)
    mine.spent = { requests: Math.max(1, own.length), tokens }
    const usual = usualTokens.get(mine.model)
    usualTokens.set(mine.model, usual === undefined ? tokens : usual + NEWS * (tokens - usual))
  }

  async function ask(
    task: TaskRecord,
    { model, limits, how }: { model: ModelID; limits: readonly string[]; how: LimitRequest['how'] },
  ): Promise<Shut | undefined> {
    const { id, key, depth } = task
    const tokens = Math.round(Math.max(tokensOfNext(task), usualTokens.get(model) ?? 0))
    const cost = how === 'sent' ? NOTHING : { requests: 1, tokens }
    const before = held.get(task)?.spent
    const answer = await limiter.enter({ taskID: id, key, depth, limits, cost, how, before })
    if (answer.status === 'shut') {
      held.delete(task)
      return shutOf(answer, now())
    }
    held.set(task, { limits, model, isFresh: true, spent: undefined })
    return undefined
  }

  /** The limits of the table hold from now on. Wakes who may go by them. */
  const apply = () => limiter.change(table().caps ?? new Map())

  /**
   * Takes back what tasks have that are over, and wakes who was let through and does not come: a process that dies says
   * no word. One that waits in its queue is left alone. Two round trips for each five hundred that hold anything.
   */
  async function look(): Promise<void> {
    for await (const ids of limiter.holders()) {
      const live = await liveTasks(ids)
      const known = new Set(live.map(({ id }) => id))
      await wake(live.flatMap(({ id, state }) => (state === 'waiting' ? [id] : [])))
      await Promise.all(ids.filter((id) => !known.has(id)).map((id) => limiter.leave(id)))
    }
  }

  return { gateOf, begin, ended, apply, look }
}

/** Those that providers count: what the cache gave is not among them. */
function tokensOf({ inputTokens, outputTokens, reasoningTokens, cacheWriteTokens }: Usage): number {
  return inputTokens + outputTokens + reasoningTokens + cacheWriteTokens
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index])
}

/** What the next message has, roughly. What OpenCode adds, and the answer, are not in it. */
function tokensOfNext({ input, done }: TaskRecord): number {
  const message = messagesOf(input)[done.length]
  return message === undefined ? 0 : estimateMessage(message)
}
