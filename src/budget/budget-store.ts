/** What the budgets have spent and hold, in Redis. Each method is one round trip, atomic, and may be repeated. */
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
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

export interface Answered<Answer> {
  answer: Answer
  /** Tasks that wait and may try now. */
  woken: readonly string[]
}

export interface BudgetStore {
  /**
   * Before a task starts. Who is refused waits in the order of submit, unless a budget that is spent refuses it.
   * `leaveAt`: micro-USD from which a budget says so first, whatever it has left; `undefined`: it does not.
   */
  hold(request: HoldRequest, order: number, leaveAt: LeaveAt): Promise<Answered<HoldAnswer>>
  /** For a task whose turn runs already: never refused. */
  adopt(request: HoldRequest): Promise<HoldAnswer>
  /** While it runs. Who is refused keeps what it holds until it settles. */
  topUp(request: HoldRequest): Promise<HoldAnswer>
  /** Counts what was spent and lets go of the rest. Gives those who waited for it. */
  settle(request: Omit<HoldRequest, 'leastMicroUsd'>): Promise<readonly string[]>
  /** In the order given. */
  read(budgets: readonly Budget[]): Promise<readonly BudgetState[]>
  /** As `read`, and gives one task of each budget that has room: nobody may be left to wake it. */
  look(budgets: readonly Budget[]): Promise<Answered<readonly BudgetState[]>>
  /** These tasks still run; those are over, and nothing of them has to be remembered. */
  renew(running: readonly string[], over: readonly string[]): Promise<void>
  /** Stops waiting, if it does. */
  leaveLine(taskID: string, budgets: readonly Budget[]): Promise<void>
  /** Epoch ms by the clock of Redis, as far as it is known. */
  now(): number
  /** False: it was told to try, or never waited. */
  isWaiting(taskID: string, budget: Budget): Promise<boolean>
}

/** A holder that is gone is noticed so late at most. */
export const LEASE_MS = 60_000
/** How long a task is remembered that holds nothing: what it has spent must not count twice. */
const IDLE_AGE_MS = 8 * 24 * 60 * 60_000

/** As in `hold-budget.lua`. */
const TOLD = 1e15

type Mode = 'hold' | 'top-up' | 'force' | 'settle' | 'read' | 'look'
type Reply = [string, number, number, number, string[], ...number[]]

export function createBudgetStore({
  redis,
  scripts,
  keys,
  leaseMs = LEASE_MS,
  now = Date.now,
}: {
  redis: RedisClient
  scripts: RunScript
  keys: Keys
  leaseMs?: number
  now?(): number
}): BudgetStore {
  /** How far the clock of Redis is ahead of this one: its time is the only one that counts. */
  let aheadMs = 0
  const calendars = new Map<string, readonly number[]>()

  const waitingAt = (budget: Budget) => keys.gate(`budget:${budgetName(budget)}`).waiting

  function startsOf({ per, timeZone }: WindowOf): string {
    const name = `${per} ${timeZone}`
    const at = now() + aheadMs
    let starts = calendars.get(name)
    if (starts === undefined || at < starts[1]! || at >= starts[2]!) {
      starts = windowStarts({ per, timeZone }, at)
      calendars.set(name, starts)
    }
    return starts.join(',')
  }

  async function run(
    mode: Mode,
    request: Omit<HoldRequest, 'taskID' | 'leastMicroUsd'> & { taskID?: string; leastMicroUsd?: number },
    order = 0,
    leaveAt: LeaveAt = () => undefined,
  ): Promise<Reply> {
    const { taskID = '', fence, wantMicroUsd, leastMicroUsd = 0, shares } = request
    const isHolding = mode === 'hold' || mode === 'top-up' || mode === 'force'
    const ask = () =>
      scripts(
        'hold-budget',
        [
          ...[keys.budgets, keys.holds, keys.holdLeases],
          ...shares.map(({ budget }) => waitingAt(budget)),
          ...[mode, taskID, fence, wantMicroUsd, leastMicroUsd, order, leaseMs, IDLE_AGE_MS],
          ...shares.flatMap(({ budget, holds, spentMicroUsd }) => [
            ...[budgetName(budget), budget.limitMicroUsd, isHolding && holds ? 1 : 0, budget.onExceed],
            ...[leaveAt(budget) ?? '', startsOf(budget), spentMicroUsd],
          ]),
        ],
        3 + shares.length,
      ) as Promise<Reply>
    let reply = await ask()
    aheadMs = reply[1] - now()
    // This clock is off by more than a window. It knows better now.
    if (reply[0] === 'clock') reply = await ask()
    if (reply[0] === 'clock') throw new Error(`Cannot find the window of a budget that holds ${reply[1]}`)
    return reply
  }

  function statesOf(shares: readonly { budget: Budget }[], [, , , , , ...numbers]: Reply): BudgetState[] {
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

  function answerOf(shares: readonly BudgetShare[], reply: Reply): HoldAnswer {
    const [status, , decided, place] = reply as [HoldAnswer['status'], number, number, number, ...unknown[]]
    if (status === 'held' || status === 'stale') return { status }
    const states = statesOf(shares, reply)
    // Those that only count what was spent have no say.
    const asked = states.filter((_, index) => shares[index]!.holds)
    return { status, by: states[decided - 1]!, place, states: asked }
  }

  const onlyLooking = (budgets: readonly Budget[]) => ({
    ...{ fence: 0, wantMicroUsd: 0 },
    shares: budgets.map((budget) => ({ budget, spentMicroUsd: 0, holds: false })),
  })
  return {
    async hold(request, order, leaveAt) {
      const reply = await run('hold', request, order, leaveAt)
      return { answer: answerOf(request.shares, reply), woken: reply[4] }
    },
    adopt: async (request) => answerOf(request.shares, await run('force', request)),
    topUp: async (request) => answerOf(request.shares, await run('top-up', request)),
    settle: async (request) => (await run('settle', request))[4],
    async read(budgets) {
      const looking = onlyLooking(budgets)
      return statesOf(looking.shares, await run('read', looking))
    },
    async look(budgets) {
      const looking = onlyLooking(budgets)
      const reply = await run('look', looking)
      return { answer: statesOf(looking.shares, reply), woken: reply[4] }
    },
    async renew(running, over) {
      await scripts('renew-holds', [
        keys.holds,
        keys.holdLeases,
        leaseMs,
        running.length,
        ...running,
        ...over,
      ])
    },
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
