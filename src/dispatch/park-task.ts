import type { Refusal } from '../gates/gatekeeper.ts'
import type { DeliveryOutcome } from '../queues/task-worker.ts'
import { openingEvents } from '../records/opening-events.ts'
import type { RecordStore } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { NewEvent } from '../tasks/event.ts'

/**
 * Puts a claimed task back that a gate refused: it waits, has used no attempt and no delivery, and says what for.
 * One round trip, fenced.
 */
export async function parkTask(
  record: TaskRecord,
  { waitingFor, wakeInMs, isOpenNow }: Refusal,
  { write }: Pick<RecordStore, 'write'>,
  now: number,
): Promise<DeliveryOutcome> {
  const { id, fence, seq } = record
  const attempt = record.attempt - 1
  const events: NewEvent[] = []
  // A wake that ends at the same gate is no news.
  if (record.waitingFor?.reason !== waitingFor.reason) {
    if (seq === 0) events.push(...openingEvents(record))
    events.push({ type: 'task-parked', at: now, attempt, waitingFor })
  }
  const fields = {
    waitingFor: JSON.stringify(waitingFor),
    attempt,
    // Its clock runs from its first start, and this was none.
    ...(attempt === 0 && { startedAt: '' }),
  }
  const result = await write({ id, fence, seq, now, events, fields, to: 'waiting' })
  if (result.status === 'stale') return { status: 'completed', note: 'stale: taken over' }
  // The next claim ends it.
  return result.cancelRequested ? { status: 'returned' } : { status: 'parked', wakeInMs, isOpenNow }
}
