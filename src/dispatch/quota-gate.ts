import {
  type BudgetState,
  type HoldAnswer,
  type HoldRequest,
  holdAnswer,
  holdAsk,
  type LeaveAt,
} from '../budget/budget-store.ts'
import { cheaperRoute, leaveAtOf } from '../budget/cheaper-route.ts'
import { asFailure, budgetExceeded, describe, onRefusal, unknownPrice } from '../budget/on-refusal.ts'
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import type { Entry, Gate, Moved, Refused } from '../gates/gate.ts'
import type { Cooldowns } from '../limits/cooldowns.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { Quotas } from '../redis/quotas.ts'
import type { Budget } from '../routing/table.ts'
import type { TaskLimits } from '../runner/task-run.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { Route } from '../tasks/route.ts'
import type { TaskFailure } from '../tasks/task.ts'
import { waitFor } from './budget-wait.ts'
import { candidatesOf, chooseModel } from './choose-model.ts'
import type { LimitDesk } from './limit-desk.ts'
import { recordFacts } from './record-facts.ts'
import { fundsOf, holdRequestOf, spenderOf, type TaskFundsDeps } from './task-funds.ts'

export interface QuotaGateDeps extends TaskFundsDeps {
  quotas: Quotas
  desk: LimitDesk
  cooldowns: Cooldowns
  modelsOf(record: TaskRecord): readonly ModelID[]
  limitsOf(record: TaskRecord): TaskLimits
}

/** What a task needs to start on a model. */
interface Needs {
  model: ModelID
  /** Its message went to the model before: it cannot be refused. */
  isSent: boolean
  /** `undefined`: no budget is about it. */
  money: Money | undefined
}

interface Money {
  request: HoldRequest
  catalog: CatalogSnapshot
}

const OPEN = { status: 'open' } as const
const NOWHERE: LeaveAt = () => undefined

/**
 * Lets a task through its limits, and holds money for its next two steps; or says what becomes of it. One round trip for
 * both, two where a cheaper tier is looked for. Who gets no money holds no limit. The run lets go with its last write,
 * since only it knows what was spent. Asked last: what it holds no later gate gives back. `undefined`: the task has no
 * limits, and no task is under a budget.
 */
export function quotaGate(record: TaskRecord, deps: QuotaGateDeps): Gate | undefined {
  const { desk, store, held, config, cooldowns, quotas } = deps
  if (record.compare !== null) return undefined
  if (!desk.concerns(record) && config.table().budgets.length === 0) return undefined
  let awaited: 'limit' | Budget | undefined

  async function enter(task: TaskRecord): Promise<Entry | Refused | Moved> {
    const candidates = candidatesOf(task, deps.modelsOf(task))
    const isSent = candidates === undefined
    const model = isSent ? (task.checkpoint?.model ?? task.model) : await firstOf(task, candidates)
    const money = config.table().budgets.length === 0 ? undefined : await moneyFor(task, model, isSent)
    if (money !== undefined && 'error' in money) return { status: 'refused', error: money.error }
    const needs = { model, isSent, money }
    const leaveAt = isFresh(task) ? leaveAtOf(task.route) : NOWHERE
    let answer = await ask(task, needs, leaveAt)
    if (answer.status === 'downgrade') {
      const route = await leave(task, model, answer.by, money!.catalog)
      if (route !== undefined) return { status: 'moved', route, reason: describe(answer.by) }
      answer = await ask(task, needs, NOWHERE)
    }
    if (answer.status === 'shut') return answer
    if (answer.status === 'refused') return refusal(answer)
    return OPEN
  }

  async function firstOf(task: TaskRecord, candidates: readonly ModelID[]): Promise<ModelID> {
    return cooldowns.isAny ? (await chooseModel(task.id, candidates, cooldowns)).model : candidates[0]!
  }

  async function moneyFor(
    task: TaskRecord,
    model: ModelID,
    isSent: boolean,
  ): Promise<Money | { error: TaskFailure } | undefined> {
    // Without a catalog the run finds out, and tries later.
    const catalog = deps.catalog.peek() ?? (await deps.catalog.get().catch(() => undefined))
    if (catalog === undefined) return undefined
    const table = config.table()
    const { maxCostMicroUsd: cap } = deps.limitsOf(task)
    const funding = fundsOf(task, model, cap, table, catalog)
    if (funding.status === 'unpriced' && !isSent)
      return { error: asFailure(unknownPrice(model, funding.watcher)) }
    if (funding.status !== 'watched' || funding.budgets.length === 0) return undefined
    return { request: holdRequestOf(task, model, cap, funding.estimate, table), catalog }
  }

  async function ask(
    task: TaskRecord,
    { model, isSent, money }: Needs,
    leaveAt: LeaveAt,
  ): Promise<Entry | HoldAnswer> {
    const limits = desk.prepare(task, model, isSent)
    if (limits === undefined && money === undefined) return OPEN
    const mode = isSent ? 'force' : 'hold'
    const [ofLimits, ofMoney] = await quotas.ask({
      task: task.id,
      limits,
      money: money && holdAsk(mode, money.request, task.createdAt, leaveAt),
    })
    const shut = limits && desk.took(task, model, isSent, ofLimits)
    if (shut !== undefined) {
      awaited = 'limit'
      return shut
    }
    if (money === undefined) return OPEN
    const answer = holdAnswer(money.request.shares, ofMoney)
    if (answer.status === 'refused' || answer.status === 'downgrade') desk.lost(task)
    else held.set(task.id, { model, wantMicroUsd: money.request.wantMicroUsd })
    return answer
  }

  async function leave(
    task: TaskRecord,
    model: ModelID,
    because: BudgetState,
    catalog: CatalogSnapshot,
  ): Promise<Route | undefined> {
    const table = config.table()
    const states = await store.read(table.budgets)
    const about = { spender: spenderOf(task, model), states, facts: recordFacts(task) }
    return cheaperRoute(task.route, because, about, table, catalog)
  }

  function refusal({ by, states, place }: Extract<HoldAnswer, { status: 'refused' }>): Entry | Refused {
    const what = onRefusal(by, states)
    if (what.action === 'reject')
      return { status: 'refused', error: asFailure(budgetExceeded('start the task', what.by)) }
    awaited = by.budget
    return { status: 'shut', reason: 'budget', ...waitFor(what, place, store.now()) }
  }

  return {
    reason: 'limit',
    heldFor: 'run',
    isLeftWithLastWrite: true,
    enter,
    leave: () => desk.leave(record),
    isOpenTo: async (taskID) => {
      if (awaited === 'limit') return desk.isGranted(taskID)
      return awaited !== undefined && !(await store.isWaiting(taskID, awaited))
    },
  }
}

/** Nothing was sent for it: it may go on with any model. */
function isFresh({ sessionID, checkpoint }: TaskRecord): boolean {
  return sessionID === null && checkpoint === null
}
