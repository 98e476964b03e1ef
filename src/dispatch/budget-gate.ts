import type { BudgetState, HoldAnswer } from '../budget/budget-store.ts'
import { cheaperRoute, leaveAtOf } from '../budget/cheaper-route.ts'
import { asFailure, budgetExceeded, describe, onRefusal, unknownPrice } from '../budget/on-refusal.ts'
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import type { Entry, Gate, Moved, Refused } from '../gates/gate.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { Budget } from '../routing/table.ts'
import type { TaskLimits } from '../runner/task-run.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { Route } from '../tasks/route.ts'
import { waitFor } from './budget-wait.ts'
import { candidatesOf } from './choose-model.ts'
import { recordFacts } from './record-facts.ts'
import { fundsOf, holdRequestOf, spenderOf, type TaskFundsDeps } from './task-funds.ts'

export interface BudgetGateDeps extends TaskFundsDeps {
  modelsOf(record: TaskRecord): readonly ModelID[]
  limitsOf(record: TaskRecord): TaskLimits
  isCooling(model: ModelID): boolean
}

/**
 * Holds money for the next two steps of a task, or says what becomes of it. One round trip, two where a cheaper tier
 * is looked for. The run tells what was spent and lets go (`run-budget.ts`), since only it knows. Asked last: what it
 * holds no later gate gives back. `undefined`: no task is under a budget.
 */
export function budgetGate(deps: BudgetGateDeps): Gate | undefined {
  const { store, held, config } = deps
  if (config.table().budgets.length === 0) return undefined
  let awaited: Budget | undefined

  async function enter(task: TaskRecord): Promise<Entry | Refused | Moved> {
    const candidates = candidatesOf(task, deps.modelsOf(task))
    const model = candidates === undefined ? task.checkpoint!.model : firstReady(candidates, deps)
    // Without a catalog the run finds out, and tries later.
    const catalog = deps.catalog.peek() ?? (await deps.catalog.get().catch(() => undefined))
    if (catalog === undefined) return { status: 'open' }
    const table = config.table()
    const { maxCostMicroUsd: cap } = deps.limitsOf(task)
    const funding = fundsOf(task, model, cap, table, catalog)
    if (funding.status === 'unpriced' && candidates !== undefined)
      return { status: 'refused', error: asFailure(unknownPrice(model, funding.watcher)) }
    if (funding.status !== 'watched' || funding.budgets.length === 0) return { status: 'open' }
    const request = holdRequestOf(task, model, cap, funding.estimate, table)
    if (candidates === undefined) {
      await store.adopt(request)
      held.set(task.id, { model, wantMicroUsd: request.wantMicroUsd })
      return { status: 'open' }
    }
    const leaveAt = isFresh(task) ? leaveAtOf(task.route) : () => undefined
    let answer = await store.hold(request, task.createdAt, leaveAt)
    if (answer.status === 'downgrade') {
      const route = await leave(task, model, answer.by, catalog)
      if (route !== undefined) return { status: 'moved', route, reason: describe(answer.by) }
      answer = await store.hold(request, task.createdAt, () => undefined)
    }
    if (answer.status !== 'refused') {
      held.set(task.id, { model, wantMicroUsd: request.wantMicroUsd })
      return { status: 'open' }
    }
    return refusal(answer)
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
    return { status: 'shut', ...waitFor(what, place, store.now()) }
  }

  return {
    reason: 'budget',
    heldFor: 'run',
    enter,
    async leave(taskID) {
      if (awaited !== undefined) await store.leaveLine(taskID, [awaited])
      return []
    },
    isOpenTo: async (taskID) => awaited !== undefined && !(await store.isWaiting(taskID, awaited)),
  }
}

/** The model the run will take, as far as this process knows. */
function firstReady(models: readonly ModelID[], { isCooling }: BudgetGateDeps): ModelID {
  return models.find((model) => !isCooling(model)) ?? models[0]!
}

/** Nothing was sent for it: it may go on with any model. */
function isFresh({ sessionID, checkpoint }: TaskRecord): boolean {
  return sessionID === null && checkpoint === null
}
