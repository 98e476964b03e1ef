/** What a budget without money means for a task. Pure. */
import { type BudgetFigures, TierlineError } from '../errors.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { TaskFailure } from '../tasks/task.ts'
import type { BudgetState } from './budget-store.ts'
import { budgetName } from './budgets-of.ts'

export type Refusal =
  /** `until`: the window turns then; `null`: a task that holds what is missing is over sooner or later. */
  { action: 'wait'; by: BudgetState; until: number | null } | { action: 'reject'; by: BudgetState }

export function isSpent({ budget, spentMicroUsd }: BudgetState): boolean {
  return spentMicroUsd >= budget.limitMicroUsd
}

/** `by`: the first that has no room. One that is spent and does not wait decides, whatever the others say. */
export function onRefusal(by: BudgetState, states: readonly BudgetState[]): Refusal {
  const spent = states.filter(isSpent)
  const rejecting = spent.find(({ budget, resetAt }) => budget.onExceed !== 'queue' || resetAt === null)
  if (rejecting !== undefined) return { action: 'reject', by: rejecting }
  const last = spent.reduce<BudgetState | undefined>(
    (latest, state) => (latest === undefined || state.resetAt! > latest.resetAt! ? state : latest),
    undefined,
  )
  return last === undefined
    ? { action: 'wait', by, until: null }
    : { action: 'wait', by: last, until: last.resetAt }
}

/** `global per day: $49.80 of $50.00 spent, $0.30 held`. */
export function describe(state: BudgetState): string {
  const { budget, spentMicroUsd, reservedMicroUsd } = state
  const held = isSpent(state) ? '' : `, ${usd(reservedMicroUsd)} held`
  return `${budgetName(budget)}: ${usd(spentMicroUsd)} of ${usd(budget.limitMicroUsd)} spent${held}`
}

export function figuresOf({ budget, spentMicroUsd, reservedMicroUsd, resetAt }: BudgetState): BudgetFigures {
  const { scope, per, limitMicroUsd } = budget
  return { scope, per, limitMicroUsd, spentMicroUsd, reservedMicroUsd, resetAt }
}

/** `cannot`: `accept the task`. One that is empty for good helps no later try. */
export function budgetExceeded(cannot: string, state: BudgetState): TierlineError {
  const { resetAt } = state
  const again = resetAt === null ? '' : `; it begins anew at ${new Date(resetAt).toISOString()}`
  return new TierlineError('budget_exceeded', `Cannot ${cannot}: ${describe(state)}${again}`, {
    budget: figuresOf(state),
    retryable: resetAt !== null,
  })
}

export function capExceeded(cannot: string, spentMicroUsd: number, capMicroUsd: number): TierlineError {
  const words = `it has cost ${usd(spentMicroUsd)}, and its maxCostUsd is ${usd(capMicroUsd)}`
  return new TierlineError('budget_exceeded', `Cannot ${cannot}: ${words}`, { retryable: false })
}

export function unknownPrice(model: ModelID, watcher: string): TierlineError {
  return new TierlineError(
    'unknown_price',
    `Cannot run the task on "${model}": nobody knows its price, which ${watcher} must count; give it a price in "models"`,
    { errors: [{ field: 'model', message: 'has no known price', given: model }] },
  )
}

/** An error as a task ends with it. */
export function asFailure({ code, message, retryable, budget }: TierlineError): TaskFailure {
  return { code, message, retryable, ...(budget && { budget }) }
}

/** `12_345` → `$0.012345`; whole cents without more digits. */
export function usd(microUsd: number): string {
  return `$${(microUsd / 1_000_000).toFixed(microUsd % 10_000 === 0 ? 2 : 6)}`
}
