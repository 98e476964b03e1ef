/**
 * What the budgets have spent and hold, in Redis. Each method is one round trip, atomic, and may be repeated; a further
 * one where it wakes others. What is asked for in one turn of the event loop goes together.
 */
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import type { MoneyAsk, MoneyReply, Quotas, ShareFacts } from '../redis/quotas.ts'
import { runPipeline } from '../redis/run-pipeline.ts'
import { scanFields } from '../redis/scan-fields.ts'
import type { Budget } from '../routing/table.ts'
import { type BudgetShare, budgetName } from './budgets-of.ts'
import { factsOf } from './facts-of.ts'

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

/** As in `budgets.lua`. */
const TOLD = 1e15

export interface BudgetStoreDeps {
  redis: RedisClient
  keys: Keys
  quotas: Quotas
}

export function createBudgetStore({ redis, keys, quotas }: BudgetStoreDeps): BudgetStore {
  const waitingAt = (budget: Budget) => keys.gate(`budget:${budgetName(budget)}`).waiting

  async function askFor(task: string, money: MoneyAsk): Promise<MoneyReply> {
    const [, reply] = await quotas.ask({ task, money })
    return reply
  }

  async function holdBy(
    mode: 'hold' | 'top-up' | 'force',
    request: HoldRequest,
    order?: number,
    leaveAt?: LeaveAt,
  ): Promise<HoldAnswer> {
    const reply = await askFor(request.taskID, holdAsk(mode, request, order, leaveAt))
    return holdAnswer(request.shares, reply)
  }

  async function inspect(mode: 'read' | 'look', budgets: readonly Budget[]): Promise<BudgetState[]> {
    const shares = budgets.map((budget) => ({ budget, spentMicroUsd: 0, holds: false }))
    const nobody = { fence: 0, wanted: 0, least: 0, order: 0 }
    const reply = await askFor('', { ...nobody, mode, shares: shares.map((share) => shareFacts(share)) })
    return statesOf(shares, reply as Told)
  }

  return {
    hold: (request, order, leaveAt) => holdBy('hold', request, order, leaveAt),
    adopt: (request) => holdBy('force', request),
    topUp: (request) => holdBy('top-up', request),
    async settle(request) {
      await askFor(request.taskID, settleAsk('settle', request))
    },
    async end(request) {
      await askFor(request.taskID, settleAsk('end', request))
    },
    read: (budgets) => inspect('read', budgets),
    look: (budgets) => inspect('look', budgets),
    holders: () => scanFields(redis, keys.holds),
    async leaveLine(taskID, budgets) {
      if (budgets.length === 0) return
      const pipeline = redis.pipeline()
      for (const budget of budgets) pipeline.zrem(waitingAt(budget), taskID)
      await runPipeline(pipeline)
    },
    now: quotas.now,
    async isWaiting(taskID, budget) {
      const place = await redis.zscore(waitingAt(budget), taskID)
      return place !== null && Number(place) < TOLD
    },
  }
}

/** As `quotas.ask` takes it. */
export function holdAsk(
  mode: 'hold' | 'top-up' | 'force',
  { fence, wantMicroUsd, leastMicroUsd, shares }: HoldRequest,
  order = 0,
  leaveAt: LeaveAt = nowhere,
): MoneyAsk {
  const want = { wanted: wantMicroUsd, least: leastMicroUsd }
  return { mode, fence, ...want, order, shares: shares.map((share) => shareFacts(share, leaveAt)) }
}

/** The same for a task that settles. */
export function settleAsk(
  mode: 'settle' | 'end',
  { fence, wantMicroUsd, shares }: Omit<SettleRequest, 'taskID'>,
): MoneyAsk {
  const facts = shares.map((share) => shareFacts(share))
  return { mode, fence, wanted: wantMicroUsd, least: 0, order: 0, shares: facts }
}

function shareFacts({ budget, spentMicroUsd, holds }: BudgetShare, leaveAt: LeaveAt = nowhere): ShareFacts {
  return { budget: factsOf(budget), spent: spentMicroUsd, holds, leaveAt: leaveAt(budget) ?? -1 }
}

export function holdAnswer(shares: readonly BudgetShare[], reply: MoneyReply): HoldAnswer {
  if (!Array.isArray(reply)) return reply === 'stale' ? STALE : HELD
  const [status, decided, place] = reply
  const states = statesOf(shares, reply)
  return {
    status: status === 'downgrade' ? status : 'refused',
    by: states[decided - 1]!,
    place,
    // Those that only count what was spent have no say.
    states: states.filter((_, index) => shares[index]!.holds),
  }
}

type Told = Extract<MoneyReply, readonly unknown[]>

function statesOf(shares: readonly { budget: Budget }[], [, , , ...figures]: Told): BudgetState[] {
  return shares.map(({ budget }, index) => {
    const [spent, held, start, reset] = figures.slice(4 * index) as [number, number, number, number]
    const window =
      budget.per === 'once'
        ? { windowStartAt: null, resetAt: null }
        : { windowStartAt: start, resetAt: reset }
    return { budget, spentMicroUsd: spent, reservedMicroUsd: held, ...window }
  })
}

const HELD = { status: 'held' } as const
const STALE = { status: 'stale' } as const

const nowhere: LeaveAt = () => undefined
