import type { DeliveryOutcome } from '../queues/task-worker.ts'
import { openingEvents } from '../records/opening-events.ts'
import type { RecordStore } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { NewEvent } from '../tasks/event.ts'
import type { TaskFailure } from '../tasks/task.ts'

/** Ends a claimed task that a gate never lets through: it was not started, and costs nothing. One round trip, fenced. */
export async function refuseTask(
  record: TaskRecord,
  error: TaskFailure,
  { write }: Pick<RecordStore, 'write'>,
  now: number,
): Promise<DeliveryOutcome> {
  const { id, fence, seq } = record
  const attempt = record.attempt - 1
  const finished: NewEvent = { type: 'task-finished', at: now, attempt, state: 'failed', error }
  const events = seq === 0 ? [...openingEvents(record), finished] : [finished]
  const fields = {
    attempt,
    error: JSON.stringify(error),
    ...(record.waitingFor !== null && { waitingFor: '' }),
    ...(attempt === 0 && { startedAt: '' }),
  }
  const result = await write({ id, fence, seq, now, events, fields, to: 'failed' })
  if (result.status === 'stale') return { status: 'completed', note: 'stale: taken over' }
  return { status: 'failed', reason: `${error.code}: ${error.message}` }
}
