import type { BudgetStore } from '../budget/budget-store.ts'
import type { RoutingTable } from '../routing/table.ts'

/**
 * Ends the leases of holders that are gone, and wakes one task of each budget that has room, which wakes the others:
 * a limit may have been raised, or a wake been lost. One round trip; none without budgets.
 */
export async function wakeForBudgets(
  store: Pick<BudgetStore, 'look'>,
  { budgets }: RoutingTable,
  wake: (taskIDs: readonly string[]) => Promise<void>,
): Promise<void> {
  if (budgets.length === 0) return
  const { woken } = await store.look(budgets)
  if (woken.length > 0) await wake(woken)
}
