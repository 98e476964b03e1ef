import type { Spent } from '../ledger/spent.ts'
import type { Budget } from '../routing/table.ts'
import { type ModelID, splitModelID } from '../tasks/model-id.ts'

/** All of a task that a budget may be about. `model`: the one that is about to be asked. */
export interface Spender {
  readonly type: string | null
  readonly tier: string | null
  readonly model: ModelID
  /** Name of the API key. */
  readonly key: string | null
}

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

function isInScope(scope: string, { type, tier, model, key }: Spender): boolean {
  const end = scope.indexOf(':')
  const name = scope.slice(end + 1)
  switch (end === -1 ? scope : scope.slice(0, end)) {
    case 'global':
      return true
    case 'type':
      return name === type
    case 'tier':
      return name === tier
    case 'provider':
      return name === splitModelID(model).providerID
    case 'model':
      return name === model
    case 'key':
      return name === key
    default:
      return false
  }
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
