/**
 * What the budgets have spent and hold, in Redis. Each method is one round trip, atomic, and may be repeated; a further
 * one where it wakes others. What is asked for in one turn of the event loop goes together.
 */
import { createBatcher } from '../redis/batcher.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { scanFields } from '../redis/scan-fields.ts'
import type { RunScript } from '../redis/scripts.ts'
import type { Budget } from '../routing/table.ts'
import { type BudgetShare, budgetName } from './budgets-of.ts'
import { type WindowOf, windowStarts } from './windows.ts'

/** A budget in its window. */
export interface BudgetState {
  budget: Budget
  spentMicroUsd: number
  /** By the tasks that run, for what they may still spend. */
  reservedMicroUsd: number
  /** Epoch ms; `null`: it has one window for all time. */
  windowStartAt: number | null
  resetAt: number | null
}

export interface HoldRequest {
  taskID: string
  /** Of the claim: who was taken over counts what it spent, and holds nothing. */
  fence: number
  wantMicroUsd: number
  leastMicroUsd: number
  shares: readonly BudgetShare[]
}

export type HoldAnswer =
  | { status: 'held' }
  /** `place`: how many wait for it already. */
  | { status: 'refused'; by: BudgetState; place: number; states: readonly BudgetState[] }
  /** So much is spent that another tier is to be taken. */
  | { status: 'downgrade'; by: BudgetState; states: readonly BudgetState[] }
  | { status: 'stale' }

export type LeaveAt = (budget: Budget) => number | undefined

export type SettleRequest = Omit<HoldRequest, 'leastMicroUsd'>

export interface BudgetStore {
  /**
   * Before a task starts. Who is refused waits in the order of submit, unless a budget that is spent refuses it.
   * `leaveAt`: micro-USD from which a budget says so first, whatever it has left; `undefined`: it does not.
   */
  hold(request: HoldRequest, order: number, leaveAt: LeaveAt): Promise<HoldAnswer>
  /** For a task whose turn runs already: never refused. */
  adopt(request: HoldRequest): Promise<HoldAnswer>
  /** While it runs. Who is refused keeps what it holds until it settles. */
  topUp(request: HoldRequest): Promise<HoldAnswer>
  /** Counts what was spent and lets go of the rest. What was counted is remembered. */
  settle(request: SettleRequest): Promise<void>
  /** As `settle`, for a task that is over, and that is written: nothing of it has to be remembered. */
  end(request: SettleRequest): Promise<void>
  /** The same for one that this claim of it has settled. */
  forget(task: Pick<HoldRequest, 'taskID' | 'fence'>): Promise<void>
  /** In the order given. */
  read(budgets: readonly Budget[]): Promise<readonly BudgetState[]>
  /** As `read`, and wakes one task of each budget that has room: nobody may be left to wake it. */
  look(budgets: readonly Budget[]): Promise<readonly BudgetState[]>
  /** Tasks of which anything is remembered, some at a time. One round trip for each piece. */
  holders(): AsyncGenerator<string[]>
  /** Stops waiting, if it does. */
  leaveLine(taskID: string, budgets: readonly Budget[]): Promise<void>
  /** Epoch ms by the clock of Redis, as far as it is known. */
  now(): number
  /** False: it was told to try, or never waited. */
  isWaiting(taskID: string, budget: Budget): Promise<boolean>
}

/** As in `ask-budgets.lua`. */
const TOLD = 1e15

/** What `ask-budgets.lua` takes as an array. */
interface Ask {
  mode: 'hold' | 'top-up' | 'force' | 'settle' | 'end' | 'forget' | 'read' | 'look'
  task: string
  fence: number
  wanted: number
  least: number
  order: number
  shares: readonly BudgetShare[]
  leaveAt: LeaveAt
}

type Told = ['refused' | 'downgrade' | 'read', number, number, ...number[]]
type Answer = 'held' | 'settled' | 'stale' | Told
type Reply = [now: number] | [now: number, woken: string[], ...answers: Answer[]]

export function createBudgetStore({
  redis,
  scripts,
  keys,
  wake,
  now = Date.now,
}: {
  redis: RedisClient
  scripts: RunScript
  keys: Keys
  /** Lets these tasks be delivered now: they may try. What fails is done by whoever looks next. */
  wake(taskIDs: readonly string[]): Promise<void>
  now?(): number
}): BudgetStore {
  /** How far the clock of Redis is ahead of this one: its time is the only one that counts. */
  let aheadMs = 0
  const calendars = new Map<string, readonly number[]>()

  const waitingAt = (budget: Budget) => keys.gate(`budget:${budgetName(budget)}`).waiting

  function startsOf({ per, timeZone }: WindowOf): readonly number[] {
    const name = `${per} ${timeZone}`
    const at = now() + aheadMs
    let starts = calendars.get(name)
    if (starts === undefined || at < starts[1]! || at >= starts[2]!) {
      starts = windowStarts({ per, timeZone }, at)
      calendars.set(name, starts)
    }
    return starts
  }

  const ask = createBatcher<Ask, Answer>(async (asks) => {
    const budgets = [...new Set(asks.flatMap(({ shares }) => shares.map(({ budget }) => budget)))]
    const indexes = new Map(budgets.map((budget, index) => [budget, index + 1]))
    const packed = asks.map(({ mode, task, fence, wanted, least, order, shares, leaveAt }) => [
      ...[mode, task, fence, wanted, least, order],
      shares.map(({ budget, spentMicroUsd, holds }) => [
        ...[indexes.get(budget)!, spentMicroUsd, holds ? 1 : 0, leaveAt(budget) ?? -1],
      ]),
    ])
    const send = async (): Promise<Reply> => {
      const facts = budgets.map((budget) => ({
        ...{ name: budgetName(budget), limit: budget.limitMicroUsd, policy: budget.onExceed },
        starts: startsOf(budget),
      }))
      const lines = budgets.map(waitingAt)
      const stored = [keys.budgets, keys.holds, keys.task(''), ...lines]
      const args = [...stored, JSON.stringify({ budgets: facts, asks: packed })]
      return (await scripts('ask-budgets', args, stored.length)) as Reply
    }
    let reply = await send()
    aheadMs = reply[0] - now()
    // This clock is off by more than a window. It knows better now.
    if (reply.length === 1) reply = await send()
    const [at, woken, ...answers] = reply
    if (woken === undefined) throw new Error(`Cannot find the window of a budget that holds ${at}`)
    if (woken.length > 0) await wake(woken).catch(() => {})
    return answers
  })

  function statesOf(shares: readonly { budget: Budget }[], [, , , ...numbers]: Told): BudgetState[] {
    return shares.map(({ budget }, index) => {
      const [spent, held, start, reset] = numbers.slice(4 * index, 4 * index + 4) as [
        number,
        number,
        number,
        number,
      ]
      const window =
        budget.per === 'once'
          ? { windowStartAt: null, resetAt: null }
          : { windowStartAt: start, resetAt: reset }
      return { budget, spentMicroUsd: spent, reservedMicroUsd: held, ...window }
    })
  }

  async function holdBy(
    mode: 'hold' | 'top-up' | 'force',
    { taskID, fence, wantMicroUsd, leastMicroUsd, shares }: HoldRequest,
    order = 0,
    leaveAt: LeaveAt = nowhere,
  ): Promise<HoldAnswer> {
    const want = { wanted: wantMicroUsd, least: leastMicroUsd }
    const answer = await ask({ mode, task: taskID, fence, ...want, order, shares, leaveAt })
    if (typeof answer === 'string') return { status: answer === 'stale' ? 'stale' : 'held' }
    const [status, decided, place] = answer
    const states = statesOf(shares, answer)
    // Those that only count what was spent have no say.
    const asked = states.filter((_, index) => shares[index]!.holds)
    return {
      status: status === 'downgrade' ? status : 'refused',
      by: states[decided - 1]!,
      place,
      states: asked,
    }
  }

  async function letGo(mode: 'settle' | 'end' | 'forget', request: SettleRequest): Promise<void> {
    const { taskID, fence, wantMicroUsd, shares } = request
    await ask({
      mode,
      task: taskID,
      fence,
      wanted: wantMicroUsd,
      least: 0,
      order: 0,
      shares,
      leaveAt: nowhere,
    })
  }

  async function inspect(mode: 'read' | 'look', budgets: readonly Budget[]): Promise<BudgetState[]> {
    const shares = budgets.map((budget) => ({ budget, spentMicroUsd: 0, holds: false }))
    const nobody = { task: '', fence: 0, wanted: 0, least: 0, order: 0, leaveAt: nowhere }
    return statesOf(shares, (await ask({ ...nobody, mode, shares })) as Told)
  }

  return {
    hold: (request, order, leaveAt) => holdBy('hold', request, order, leaveAt),
    adopt: (request) => holdBy('force', request),
    topUp: (request) => holdBy('top-up', request),
    settle: (request) => letGo('settle', request),
    end: (request) => letGo('end', request),
    forget: (task) => letGo('forget', { ...task, wantMicroUsd: 0, shares: [] }),
    read: (budgets) => inspect('read', budgets),
    look: (budgets) => inspect('look', budgets),
    holders: () => scanFields(redis, keys.holds),
    async leaveLine(taskID, budgets) {
      const pipeline = redis.pipeline()
      for (const budget of budgets) pipeline.zrem(waitingAt(budget), taskID)
      await pipeline.exec()
    },
    now: () => now() + aheadMs,
    async isWaiting(taskID, budget) {
      const place = await redis.zscore(waitingAt(budget), taskID)
      return place !== null && Number(place) < TOLD
    },
  }
}

const nowhere: LeaveAt = () => undefined
