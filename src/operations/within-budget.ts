import type { BudgetState, BudgetStore } from '../budget/budget-store.ts'
import { cheaperRoute, leaveAtOf } from '../budget/cheaper-route.ts'
import { promptTokens } from '../budget/estimate.ts'
import { fundingOf } from '../budget/funding.ts'
import { budgetExceeded, isSpent, onRefusal, unknownPrice } from '../budget/on-refusal.ts'
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { effectivePrice } from '../routing/cost.ts'
import { queueOf } from '../routing/queue-of.ts'
import type { RoutingTable } from '../routing/table.ts'
import { maxCostOf, tableLimits } from '../routing/table-limits.ts'
import { factsOf } from '../routing/task-facts.ts'
import { messagesOf } from '../tasks/input.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { Route } from '../tasks/route.ts'
import type { Admitted } from './new-record.ts'

export interface WithinBudgetDeps {
  store: Pick<BudgetStore, 'read'>
  table(): RoutingTable
  /** What is known of the models now. */
  catalog(): CatalogSnapshot | undefined
}

/**
 * Refuses what nobody will pay for, or sends it to a cheaper tier from the start. Holds nothing: whether there is
 * room decides when it starts. One round trip, which all that come meanwhile share; none without budgets.
 *
 * @throws {TierlineError} `budget_exceeded`, `unknown_price`.
 */
export function createWithinBudget({ store, table, catalog }: WithinBudgetDeps) {
  let reading: { table: RoutingTable; states: Promise<readonly BudgetState[]> } | undefined

  function statesNow(now: RoutingTable): Promise<readonly BudgetState[]> {
    if (reading?.table === now) return reading.states
    const mine = { table: now, states: store.read(now.budgets) }
    reading = mine
    const forget = () => {
      if (reading === mine) reading = undefined
    }
    mine.states.then(forget, forget)
    return mine.states
  }

  return (admitted: Admitted): Admitted | Promise<Admitted> => {
    const rules = table()
    const snapshot = catalog()
    if (snapshot === undefined) return admitted
    // Without a budget only a price that nobody knows matters, and only to a task with a limit.
    if (rules.budgets.length === 0 && isPriced(admitted, rules, snapshot)) return admitted
    return check(admitted, rules, snapshot)
  }

  async function check(
    admitted: Admitted,
    rules: RoutingTable,
    snapshot: CatalogSnapshot,
  ): Promise<Admitted> {
    const { input, key, queue, directory } = admitted
    const facts = factsOf(input, { directory, key })
    const isCapped = maxCostOf(input, tableLimits(admitted.route.requested.type, facts, rules)) !== undefined
    const limits = { inputTokens: promptTokens(input), isCapped }
    const spenderOf = ({ tier, model }: Pick<Route, 'tier' | 'model'>) => ({
      type: input.type ?? null,
      tier,
      model,
      key,
    })
    const fundingOn = (route: Pick<Route, 'tier' | 'model'>) =>
      fundingOf(spenderOf(route), limits, rules, snapshot)

    for (const { model = admitted.route.model } of messagesOf(input)) {
      const funding = fundingOn({ tier: admitted.route.tier, model })
      if (funding.status === 'unpriced') throw unknownPrice(model, funding.watcher)
    }
    const own = messagesOf(input)[0]!.model
    const route = own === undefined ? admitted.route : { ...admitted.route, model: own }
    const funding = fundingOn(route)
    if (funding.status !== 'watched' || funding.budgets.length === 0) return admitted
    const states = await statesNow(rules)
    const concerned = (budgets: readonly unknown[]) => states.filter(({ budget }) => budgets.includes(budget))

    const mine = concerned(funding.budgets)
    const leaveAt = own === undefined ? leaveAtOf(route) : () => undefined
    const leaving = mine.find(
      ({ budget, spentMicroUsd }) => spentMicroUsd >= (leaveAt(budget) ?? Number.POSITIVE_INFINITY),
    )
    const cheaper =
      leaving && cheaperRoute(route, leaving, { spender: spenderOf(route), states, facts }, rules, snapshot)
    if (cheaper !== undefined)
      return { ...admitted, route: cheaper, queue: queue === queueOf(route) ? queueOf(cheaper) : queue }
    const spent = mine.filter(isSpent)
    const what = spent.length === 0 ? undefined : onRefusal(spent[0]!, mine)
    if (what?.action === 'reject') throw budgetExceeded('accept the task', what.by)
    return admitted
  }
}

function isPriced({ input, route }: Admitted, { prices }: RoutingTable, snapshot: CatalogSnapshot): boolean {
  const isKnown = (model: ModelID) => effectivePrice(model, snapshot, prices) !== null
  return (
    isKnown(route.model) && (input.messages ?? []).every(({ model }) => model === undefined || isKnown(model))
  )
}
