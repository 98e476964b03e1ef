import type { BudgetStore } from '../budget/budget-store.ts'
import type { RecordStore } from '../records/record-store.ts'
import type { RoutingTable } from '../routing/table.ts'
import { isTerminal } from '../tasks/state.ts'
import { remainderOf } from './task-funds.ts'

/** What is left of a task that is gone: whoever had it. */
const LAST_FENCE = Number.MAX_SAFE_INTEGER

/**
 * Settles what tasks hold that are over, since their worker may have died before it did, and wakes one task of each
 * budget that has room, which wakes the others: a limit may have been raised, or a wake been lost. One round trip, and
 * two for each five hundred tasks that hold anything.
 */
export async function lookAfterBudgets(
  store: Pick<BudgetStore, 'look' | 'holders' | 'end'>,
  records: Pick<RecordStore, 'liveQueues' | 'readMany'>,
  table: RoutingTable,
): Promise<void> {
  for await (const ids of store.holders()) {
    const live = new Set((await records.liveQueues(ids)).map(({ id }) => id))
    const over = ids.filter((id) => !live.has(id))
    const found = await records.readMany(over)
    await Promise.all(
      over.map(async (taskID, index) => {
        const record = found[index]
        // It was retried meanwhile.
        if (record !== undefined && !isTerminal(record.state)) return
        const what = record ? remainderOf(record, table) : { taskID, fence: LAST_FENCE, shares: [] }
        await store.end({ ...what, wantMicroUsd: 0 })
      }),
    )
  }
  if (table.budgets.length > 0) await store.look(table.budgets)
}
