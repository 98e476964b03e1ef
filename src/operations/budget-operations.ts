import type { BudgetStore } from '../budget/budget-store.ts'
import type { RoutingTable } from '../routing/table.ts'
import type { BudgetView } from '../tasks/budget-view.ts'

export interface BudgetOperationsDeps {
  store: Pick<BudgetStore, 'read'>
  table(): RoutingTable
}

/** What the world may ask of the budgets in force. */
export function createBudgetOperations({ store, table }: BudgetOperationsDeps) {
  return {
    /** In the order of the file. One round trip; none without budgets. */
    async budgets(): Promise<BudgetView[]> {
      const { budgets } = table()
      if (budgets.length === 0) return []
      return (await store.read(budgets)).map(({ budget, ...state }) => {
        const { scope, per, timeZone, onExceed, limitMicroUsd } = budget
        return { scope, per, timeZone, onExceed, limitMicroUsd, ...state }
      })
    },
  }
}
