import type { RecordStore } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { SessionBackend } from '../sessions/backend.ts'
import { createBook, type PriceOf } from './book.ts'
import { ABORT_PATIENCE_MS } from './run-turn.ts'
import { turnInFlight } from './turn-in-flight.ts'

export interface LeftTurnDeps {
  backends: readonly SessionBackend[]
  records: Pick<RecordStore, 'bookEnded'>
  price: PriceOf
  now(): number
}

/**
 * For a task that is over, and was ended while no worker had it: cancelled while it waited for its next one, or failed
 * since it broke them. Its turn may still run, so it is ended as a worker would have done it: aborted, and what it came
 * to goes into record and ledger. `record` is kept up to date.
 *
 * Takes ten seconds at most, and never throws: what nobody can tell stays as it was last known.
 */
export async function endLeftTurn(record: TaskRecord, deps: LeftTurnDeps): Promise<void> {
  const { checkpoint } = record
  const backend = deps.backends.find(({ server }) => server === record.server)
  if (checkpoint === null || backend === undefined) return
  const turn = turnInFlight(record, checkpoint)
  const book = createBook(record, deps.price)
  const signal = AbortSignal.timeout(ABORT_PATIENCE_MS)
  try {
    await backend.abort(turn, signal)
    if (!book.isOpen()) return
    book.settle(await backend.spentOn(turn, signal))
    const due = book.due(undefined, true)
    if (due !== undefined) await deps.records.bookEnded(record, due, deps.now())
  } catch {
    // The server or Redis is away. The tombstone sees to it that the turn does not run on.
  }
}
