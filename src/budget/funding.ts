/** Whether a step of a task has to be paid for by somebody who watches. Pure. */
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { modelsOf } from '../routing/catalog-index.ts'
import { effectivePrice } from '../routing/cost.ts'
import type { Budget, RoutingTable } from '../routing/table.ts'
import { budgetName, budgetsOf, type Spender } from './budgets-of.ts'
import { estimateStep, outputLimitOf, type StepEstimate } from './estimate.ts'

export type Funding =
  /** No budget is about it, or nothing can be counted. */
  | { status: 'unwatched' }
  /** `watcher`: what must not be spent on a model that nobody knows the price of. */
  | { status: 'unpriced'; watcher: string }
  | { status: 'watched'; budgets: readonly Budget[]; estimate: StepEstimate }

const UNWATCHED: Funding = { status: 'unwatched' }

/** `inputTokens`: of the next step. `isCapped`: the task has a limit of its own. */
export function fundingOf(
  spender: Spender,
  { inputTokens, isCapped }: { inputTokens: number; isCapped: boolean },
  table: RoutingTable,
  catalog: CatalogSnapshot,
): Funding {
  const budgets = budgetsOf(table.budgets, spender)
  if (budgets.length === 0 && !isCapped) return UNWATCHED
  const price = effectivePrice(spender.model, catalog, table.prices)
  if (price === null) {
    const strict = budgets.find(({ onUnknownPrice }) => onUnknownPrice === 'reject')
    if (strict !== undefined) return { status: 'unpriced', watcher: `the budget "${budgetName(strict)}"` }
    return isCapped ? { status: 'unpriced', watcher: 'its maxCostUsd' } : UNWATCHED
  }
  const model = modelsOf(catalog).get(spender.model)
  const estimate = estimateStep(price, inputTokens, outputLimitOf(model))
  // Known to be free: nothing of it counts.
  return estimate.stepMicroUsd === 0 ? UNWATCHED : { status: 'watched', budgets, estimate }
}
