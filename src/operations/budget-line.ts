import type { BudgetStore } from '../budget/budget-store.ts'
import type { Gate } from '../gates/gate.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { RoutingTable } from '../routing/table.ts'

/** The budgets' gate for who runs no tasks: a task that is over, and waited there, waits no longer. */
export function budgetLine(
  { waitingFor }: TaskRecord,
  { store, table }: { store: Pick<BudgetStore, 'leaveLine'>; table(): RoutingTable },
): Gate | undefined {
  if (waitingFor?.reason !== 'budget') return undefined
  return {
    reason: 'budget',
    heldFor: 'run',
    enter: async () => ({ status: 'open' }),
    leave: (taskID) => store.leaveLine(taskID, table().budgets),
    isOpenTo: async () => true,
  }
}
