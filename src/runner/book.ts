/**
 * What one task spends, as it runs: reports of its turns come in, and what is new of them goes out with the
 * task's own writes, into its record and into the ledger of the day in one script.
 *
 * Reports are cumulative, and only the increase over what was written counts: one that is repeated adds nothing,
 * and one that was lost, with its worker too, is made good by the next (docs/decisions/0015-ledger.md).
 */
import { endEntries, type LedgerEntries, spentEntries } from '../ledger/ledger-entries.ts'
import {
  addSpent,
  atLeast,
  formatSpent,
  increaseOf,
  type Spent,
  type SpentOnModel,
  type SpentTotal,
  sumByModel,
  totalOf,
} from '../ledger/spent.ts'
import type { RecordFields } from '../records/record-fields.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { Spending } from '../sessions/backend.ts'
import { NO_USAGE } from '../tasks/usage.ts'

export interface Book {
  /** Takes down what became known of the turn under way. */
  take(spendings: readonly Spending[]): void
  /**
   * The turn is over; gives what it came to, with all its children and tries. It stays that of a turn under way until a
   * write says that there is none: who takes over before would count it again.
   */
  settle(spendings: readonly Spending[]): SpentTotal
  /** A turn is about to be sent. */
  begin(): void
  /** True: a turn is under way, or was when its worker died, and what it came to was not settled. */
  isOpen(): boolean
  /** What the whole task has come to so far. */
  total(): SpentTotal
  /**
   * What the next write must say; `end`: it ends the task; `hasProgress`: it says which turn is under way.
   * `undefined`: nothing.
   */
  due(end: 'succeeded' | 'failed' | 'cancelled' | undefined, hasProgress?: boolean): DueEntries | undefined
}

export interface DueEntries {
  fields: RecordFields
  ledger: LedgerEntries
  /** Call once they are written. */
  written(): void
}

/** What one request costs, micro-USD. */
export type PriceOf = (request: Pick<Spending, 'model' | 'usage' | 'costMicroUsd'>) => number

/** `record` is kept up to date. */
export function createBook(record: TaskRecord, price: PriceOf): Book {
  let booked = addSpent(record.spent, record.turnSpent)
  let isTurnWritten = record.turnSpent.length > 0
  /**
   * What was written of the turn, by the predecessors too: OpenCode may have forgotten some of it, and what was
   * estimated may be counted by now, but the ledger only grows.
   */
  let atLeastOfTurn: Spent = record.turnSpent
  const known = new Map<string, SpentOnModel>()
  let version = 0
  let writtenVersion = 0
  let isSettled = false
  let isOpen = record.checkpoint !== null && !record.checkpoint.retry?.isDue
  // A turn without a checkpoint is over, however its worker ended.
  if (record.checkpoint === null && isTurnWritten) fold()

  function fold(): void {
    if (record.turnSpent.length > 0) version += 1
    record.spent = addSpent(record.spent, record.turnSpent)
    record.turnSpent = []
    atLeastOfTurn = []
    known.clear()
    isSettled = false
  }

  function take(spendings: readonly Spending[]): void {
    for (const spending of spendings) known.set(spending.id, lineOf(spending))
    if (spendings.length === 0) return
    record.turnSpent = atLeast(atLeastOfTurn, sumByModel(known.values()))
    version += 1
  }

  function lineOf(spending: Spending): SpentOnModel {
    const { model, usage, isEstimated } = spending
    const costMicroUsd = price(spending)
    if (isEstimated) return { model, usage: NO_USAGE, costMicroUsd: 0, costEstimatedMicroUsd: costMicroUsd }
    return { model, usage, costMicroUsd, costEstimatedMicroUsd: 0 }
  }

  return {
    take,
    settle(spendings) {
      take(spendings)
      isSettled = true
      isOpen = false
      return totalOf(record.turnSpent)
    },
    begin() {
      isOpen = true
    },
    isOpen: () => isOpen,
    total: () => totalOf(addSpent(record.spent, record.turnSpent)),
    due(end, hasProgress) {
      if (end !== undefined || (isSettled && hasProgress)) fold()
      if (version === writtenVersion && end === undefined) return undefined
      const now = addSpent(record.spent, record.turnSpent)
      const at = version
      const { tier, type, key } = record
      const hasTurn = record.turnSpent.length > 0
      atLeastOfTurn = record.turnSpent
      return {
        fields: {
          ...(record.spent.length > 0 && { spent: formatSpent(record.spent) }),
          ...((hasTurn || isTurnWritten) && { turnSpent: formatSpent(record.turnSpent) }),
        },
        ledger: [
          ...increaseOf(now, booked).flatMap((line) => spentEntries({ tier, type, key }, line)),
          ...(end === undefined
            ? []
            : endEntries({ model: record.model, tier, type, key }, end === 'succeeded')),
        ],
        written() {
          booked = now
          isTurnWritten = hasTurn
          writtenVersion = at
        },
      }
    },
  }
}
