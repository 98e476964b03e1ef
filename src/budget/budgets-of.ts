import type { Spent } from '../ledger/spent.ts'
import { isInScope, type Spender } from '../routing/budget-scope.ts'
import type { Budget } from '../routing/table.ts'

export type { Spender } from '../routing/budget-scope.ts'

/** What one of its budgets is to a task. */
export interface BudgetShare {
  budget: Budget
  /** All that the task ever spent there. Counts by its increase. */
  spentMicroUsd: number
  /** Its next steps are paid from it. */
  holds: boolean
}

const NONE: readonly Budget[] = []

/** The budgets that pay for a task, in the order of the file: all of them do. */
export function budgetsOf(budgets: readonly Budget[], spender: Spender): readonly Budget[] {
  return budgets.length === 0 ? NONE : budgets.filter(({ scope }) => isInScope(scope, spender))
}

/**
 * What each budget is to a task that has spent this, estimates included, and is about to ask `spender.model`. Only
 * those that are anything to it.
 */
export function sharesOf(budgets: readonly Budget[], spender: Spender, spent: Spent): BudgetShare[] {
  return budgets.flatMap((budget) => {
    const holds = isInScope(budget.scope, spender)
    const spentMicroUsd = spent
      .filter(({ model }) => isInScope(budget.scope, { ...spender, model }))
      .reduce((sum, line) => sum + line.costMicroUsd + line.costEstimatedMicroUsd, 0)
    return holds || spentMicroUsd > 0 ? [{ budget, spentMicroUsd, holds }] : []
  })
}

/** Names a budget for people and in Redis; no two have the same: `type:lint per hour`. */
export function budgetName({ scope, per }: Pick<Budget, 'scope' | 'per'>): string {
  return per === 'once' ? `${scope} once` : `${scope} per ${per}`
}
