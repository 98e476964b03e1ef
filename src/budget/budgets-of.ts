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

interface Known extends Spender {
  found: readonly Budget[]
}

/** Of each table who was asked for lately: most tasks are of few kinds, and to look at those costs less than a key. */
const known = new WeakMap<readonly Budget[], Known[]>()
const MOST_KNOWN = 16

/** The budgets that pay for a task, in the order of the file: all of them do. */
export function budgetsOf(budgets: readonly Budget[], spender: Spender): readonly Budget[] {
  if (budgets.length === 0) return NONE
  const { type, tier, model, key } = spender
  let kinds = known.get(budgets)
  if (kinds === undefined) {
    kinds = []
    known.set(budgets, kinds)
  }
  for (const kind of kinds)
    if (kind.type === type && kind.model === model && kind.tier === tier && kind.key === key)
      return kind.found
  const found = budgets.filter(({ scope }) => isInScope(scope, spender))
  if (kinds.length === MOST_KNOWN) kinds.shift()
  kinds.push({ type, tier, model, key, found })
  return found
}

/**
 * What each budget is to a task that has spent this, estimates included, and is about to ask `spender.model`. Only
 * those that are anything to it.
 */
export function sharesOf(budgets: readonly Budget[], spender: Spender, spent: Spent): BudgetShare[] {
  if (spent.every(({ model }) => model === spender.model)) {
    const spentMicroUsd = spent.reduce((sum, line) => sum + costOf(line), 0)
    return budgetsOf(budgets, spender).map((budget) => ({ budget, spentMicroUsd, holds: true }))
  }
  return budgets.flatMap((budget) => {
    const holds = isInScope(budget.scope, spender)
    const spentMicroUsd = spent
      .filter(({ model }) => isInScope(budget.scope, { ...spender, model }))
      .reduce((sum, line) => sum + costOf(line), 0)
    return holds || spentMicroUsd > 0 ? [{ budget, spentMicroUsd, holds }] : []
  })
}

function costOf({ costMicroUsd, costEstimatedMicroUsd }: Spent[number]): number {
  return costMicroUsd + costEstimatedMicroUsd
}

/** Names a budget for people and in Redis; no two have the same: `type:lint per hour`. */
export function budgetName({ scope, per }: Pick<Budget, 'scope' | 'per'>): string {
  return per === 'once' ? `${scope} once` : `${scope} per ${per}`
}
