import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { blendedMicroUsdPerMTok, effectivePrice } from '../routing/cost.ts'
import { CANDIDATE, isPinned, resolveRoute } from '../routing/resolve.ts'
import type { Budget, RoutingTable } from '../routing/table.ts'
import type { TaskFacts } from '../routing/task-facts.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { Route } from '../tasks/route.ts'
import type { BudgetState, LeaveAt } from './budget-store.ts'
import { budgetName, budgetsOf, type Spender } from './budgets-of.ts'
import { describe, isSpent } from './on-refusal.ts'

/** Name of the step by which a budget took a cheaper tier. */
const BUDGET_STEP = 'budget'

/**
 * The micro-USD from which a budget sends a task of this route to a cheaper tier; `undefined`: it does not. A budget
 * does so once for what is spent of it, and again when all of it is. A task that named its model is left alone.
 */
export function leaveAtOf(route: Route): LeaveAt {
  if (route.tier === null || isPinned(route)) return () => undefined
  return (budget) => {
    if (budget.onExceed !== 'downgrade') return undefined
    const { limitMicroUsd, downgradeAtPercent } = budget
    const hasMoved = route.steps.some(
      ({ step, input }) => step === BUDGET_STEP && input === budgetName(budget),
    )
    const percent = hasMoved ? 100 : (downgradeAtPercent ?? 100)
    return Math.ceil((limitMicroUsd * percent) / 100)
  }
}

/**
 * The route through the next cheaper tier that no spent budget keeps from running, by the price of its first model.
 * `states`: of all budgets of the table. `undefined`: there is no such tier.
 */
export function cheaperRoute(
  route: Route,
  because: BudgetState,
  { spender, states, facts }: { spender: Spender; states: readonly BudgetState[]; facts: TaskFacts },
  table: RoutingTable,
  catalog: CatalogSnapshot,
): Route | undefined {
  const priceOf = (model: ModelID) => {
    const price = effectivePrice(model, catalog, table.prices)
    return price === null ? undefined : blendedMicroUsdPerMTok(price)
  }
  const present = priceOf(route.model) ?? Number.POSITIVE_INFINITY
  const spent = new Set<Budget>(states.filter(isSpent).map(({ budget }) => budget))
  const candidates = table.tiers
    .flatMap(({ name }) => {
      const found = tryTier(name, table, catalog, facts)
      const price = found && priceOf(found.model)
      return found === undefined || price === undefined || price >= present ? [] : [{ found, price }]
    })
    .sort((a, b) => b.price - a.price)
  const [next] = candidates.filter(({ found: { tier, model } }) =>
    budgetsOf(table.budgets, { ...spender, tier, model }).every((budget) => !spent.has(budget)),
  )
  if (next === undefined) return undefined
  const { tier, model, chain, steps } = next.found
  const moved = {
    step: BUDGET_STEP,
    input: budgetName(because.budget),
    outcome: `tier ${tier}: ${describe(because)}`,
  }
  return {
    ...route,
    tier,
    model,
    chain,
    steps: [
      ...route.steps.filter(({ step }) => step !== CANDIDATE),
      moved,
      ...steps.filter(({ step }) => step === CANDIDATE),
    ],
  }
}

function tryTier(
  tier: string,
  table: RoutingTable,
  catalog: CatalogSnapshot,
  facts: TaskFacts,
): Route | undefined {
  try {
    return resolveRoute({ tier }, table, catalog, facts)
  } catch {
    // None of its models is offered, or can take the prompt.
    return undefined
  }
}
