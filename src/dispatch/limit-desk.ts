/** Lets the turns of a task through the limits of their model, its provider and the task's API key. */
import type { Gate, Shut } from '../gates/gate.ts'
import type { Refusal } from '../gates/gatekeeper.ts'
import { answered, asked, type Limiter, type LimitRequest, left, type TurnCost } from '../limits/limiter.ts'
import type { LiveTask } from '../records/record-reader.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { LimitsAsk, LimitsReply } from '../redis/quotas.ts'
import { limitsFor } from '../routing/limits-for.ts'
import type { RoutingTable } from '../routing/table.ts'
import type { Spending } from '../sessions/backend.ts'
import { messagesOf } from '../tasks/input.ts'
import type { ModelID } from '../tasks/model-id.ts'
import { estimateMessage } from '../tasks/prompt-size.ts'
import type { Usage } from '../tasks/usage.ts'
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
  /** `null`: it was asked for, and holds nothing. */
  const held = new WeakMap<TaskRecord, Held | null>()
  /** What turns of a model have cost here: what OpenCode adds to a prompt can be known by this only. */
  const usualTokens = new Map<ModelID, number>()

  /** Whether limits are anything to it: it waited at one, and is known there whatever the table says by now. */
  function concerns({ waitingFor, compare }: TaskRecord): boolean {
    return compare === null && (waitingFor?.reason === 'limit' || (table().caps?.size ?? 0) > 0)
  }

  /** What is to be asked for its start on this model; `undefined`: nothing. Its answer is for `took`. */
  function prepare(task: TaskRecord, model: ModelID, isSent: boolean): LimitsAsk | undefined {
    const limits = limitsFor(model, task.key, table())
    if (limits.length > 0) return asked(requestOf(task, { model, limits, how: isSent ? 'sent' : 'start' }))
    if (task.waitingFor?.reason === 'limit') return left(undefined, undefined)
    held.set(task, null)
    return undefined
  }

  /** `isSent`: the turn of this message was counted when it was sent, and the next is not. */
  function took(task: TaskRecord, model: ModelID, isSent: boolean, reply: LimitsReply): Shut | undefined {
    const answer = answered(reply)
    if (answer.status === 'shut') {
      held.set(task, null)
      return shutOf(answer, now())
    }
    const limits = limitsFor(model, task.key, table())
    held.set(task, limits.length === 0 ? null : { limits, model, isFresh: !isSent, spent: undefined })
    return undefined
  }

  /** It holds nothing any more: it was let go of by who answered. */
  function lost(task: TaskRecord): void {
    held.set(task, null)
  }

  /** What is to be asked when it is done with its run; `undefined`: nothing. May be asked again. */
  function leaving(task: TaskRecord): LimitsAsk | undefined {
    const mine = held.get(task)
    if (mine === null || (mine === undefined && !concerns(task))) return undefined
    return left(mine?.limits, mine?.spent)
  }

  async function leave(task: TaskRecord): Promise<void> {
    const mine = held.get(task)
    if (mine === null) return
    held.set(task, null)
    await limiter.leave(task.id, mine?.spent)
  }

  /** The gate for who runs no tasks, and lets go of what others held. */
  function exitOf(record: TaskRecord): Gate | undefined {
    if (!concerns(record)) return undefined
    return {
      reason: 'limit',
      heldFor: 'run',
      enter: async () => ({ status: 'open' }),
      leave: () => leave(record),
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
    if (limits.length === 0 && mine == null) return undefined
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
      held.set(record, null)
      await limiter.leave(record.id, spent)
      return undefined
    }
    const answer = await limiter.enter(requestOf(record, { model, limits, how: 'next' }))
    if (answer.status === 'open') {
      held.set(record, { limits, model, isFresh: false, spent: undefined })
      return undefined
    }
    held.set(record, null)
    const shut = shutOf(answer, now())
    const { detail, until, wakeInMs } = shut
    const isOpenNow = () => limiter.isGranted(record.id)
    return { status: 'shut', waitingFor: { reason: 'limit', detail, until }, wakeInMs, isOpenNow }
  }

  /** A turn is over, and this is what it has cost; counted with the next that is asked of the limits. */
  function ended(record: TaskRecord, spendings: readonly Spending[]): void {
    const mine = held.get(record)
    if (mine == null) return
    const own = spendings.filter(({ model }) => model === mine.model)
    const tokens = own.reduce((sum, { usage }) => sum + tokensOf(usage), 0)
    mine.spent = { requests: Math.max(1, own.length), tokens }
    const usual = usualTokens.get(mine.model)
    usualTokens.set(mine.model, usual === undefined ? tokens : usual + NEWS * (tokens - usual))
  }

  function requestOf(
    task: TaskRecord,
    { model, limits, how }: { model: ModelID; limits: readonly string[]; how: LimitRequest['how'] },
  ): LimitRequest {
    const { id, key, depth } = task
    const tokens = Math.round(Math.max(tokensOfNext(task), usualTokens.get(model) ?? 0))
    const cost = how === 'sent' ? NOTHING : { requests: 1, tokens }
    return { taskID: id, key, depth, limits, cost, how, before: held.get(task)?.spent }
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

  return {
    ...{ concerns, prepare, took, lost, leaving, leave, exitOf, begin, ended, apply, look },
    isGranted: limiter.isGranted,
  }
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
