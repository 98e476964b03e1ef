import { settleAsk } from '../budget/budget-store.ts'
import {
  asFailure,
  budgetExceeded,
  capExceeded,
  figuresOf,
  onRefusal,
  unknownPrice,
} from '../budget/on-refusal.ts'
import type { LetGo } from '../records/record-store.ts'
import type { TaskRecord, TurnCut } from '../records/task-record.ts'
import type { BudgetRefusal, TaskBudget } from '../runner/task-budget.ts'
import type { Spending } from '../sessions/backend.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { Usage } from '../tasks/usage.ts'
import { waitFor } from './budget-wait.ts'
import { capLeftOf, fundsOf, holdRequestOf, remainderOf, spentOf, type TaskFundsDeps } from './task-funds.ts'

/** The money of one run of a task. `undefined`: no limit is about it, whatever model it takes. */
export function createRunBudget(
  record: TaskRecord,
  cap: number | undefined,
  deps: TaskFundsDeps,
): TaskBudget | undefined {
  const { store, held, config, catalog } = deps
  const { id } = record
  if (cap === undefined && config.table().budgets.length === 0) return undefined
  /** The gate has held for the first message. */
  let heldFor = held.get(id)?.model
  let isWatched = heldFor !== undefined || record.attempt > 1
  /** The model of the turn under way. */
  let turnModel = record.model

  async function mayStart(model: ModelID, isSent: boolean): Promise<BudgetRefusal | undefined> {
    turnModel = model
    const capLeft = capLeftOf(record, cap)
    if (capLeft !== undefined && capLeft <= 0 && !isSent) return never(overCap('go on with the task'))
    if (heldFor === model) {
      heldFor = undefined
      return undefined
    }
    const funding = fundsOf(record, model, cap, config.table(), await catalog.get())
    if (funding.status === 'unpriced' && !isSent) return never(unknownPrice(model, funding.watcher))
    if (funding.status !== 'watched' || funding.budgets.length === 0) {
      // What is held is held for another model.
      if (held.has(id)) await settle()
      return undefined
    }
    const request = holdRequestOf(record, model, cap, funding.estimate, config.table())
    isWatched = true
    held.set(id, { model, wantMicroUsd: request.wantMicroUsd })
    if (isSent) {
      await store.adopt(request)
      return undefined
    }
    const answer = await store.hold(request, record.createdAt, () => undefined)
    if (answer.status !== 'refused') return undefined
    const what = onRefusal(answer.by, answer.states)
    if (what.action === 'reject') return never(budgetExceeded('go on with the task', what.by))
    held.delete(id)
    const { wakeInMs, ...waitingFor } = waitFor(what, answer.place, store.now())
    const { budget } = answer.by
    const isOpenNow = async () => !(await store.isWaiting(id, budget))
    return { status: 'later', wait: { waitingFor: { reason: 'budget', ...waitingFor }, wakeInMs, isOpenNow } }
  }

  async function mayGoOn(spendings: readonly Spending[]): Promise<TurnCut | undefined> {
    const capLeft = capLeftOf(record, cap)
    if (capLeft !== undefined && capLeft <= 0) return cutBy(overCap('go on with the turn'))
    const snapshot = catalog.peek()
    // The next prompt is the last one with its answer.
    const last = spendings.at(-1)?.usage
    const inputTokens = last && promptOf(last) + last.outputTokens
    const funding = snapshot && fundsOf(record, turnModel, cap, config.table(), snapshot, inputTokens)
    if (funding?.status !== 'watched' || funding.budgets.length === 0) return undefined
    const answer = await store.topUp(holdRequestOf(record, turnModel, cap, funding.estimate, config.table()))
    if (answer.status !== 'refused') return undefined
    return { ...cutBy(budgetExceeded('go on with the turn', answer.by)), budget: figuresOf(answer.by) }
  }

  async function settle(): Promise<void> {
    if (!isWatched) return
    const wantMicroUsd = held.get(id)?.wantMicroUsd ?? 0
    held.delete(id)
    const remainder = remainderOf(record, config.table())
    store.settle({ ...remainder, wantMicroUsd }).catch(() => {})
    await nextTick()
  }

  function remainder(): LetGo['money'] {
    if (!isWatched) return undefined
    const wantMicroUsd = held.get(id)?.wantMicroUsd ?? 0
    return settleAsk('end', { ...remainderOf(record, config.table()), wantMicroUsd })
  }

  function overCap(cannot: string) {
    const spent = spentOf(record) - record.costBeforeRetry
    return capExceeded(cannot, spent, cap!)
  }

  return {
    mayStart,
    mayGoOn,
    settle,
    remainder,
    close() {
      held.delete(id)
    },
  }
}

function never(error: Parameters<typeof asFailure>[0]) {
  return { status: 'never', error: asFailure(error) } as const
}

function cutBy({ message }: Error): TurnCut {
  return { code: 'budget_exceeded', message }
}

/** Tokens of all prompts, cached ones too. */
function promptOf({ inputTokens, cacheReadTokens, cacheWriteTokens }: Usage): number {
  return inputTokens + cacheReadTokens + cacheWriteTokens
}

/** When all that was asked for in this tick is on its way. */
function nextTick(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve))
}
