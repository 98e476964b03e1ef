import type { Moved } from '../gates/gate.ts'
import { deliveryOf } from '../operations/new-record.ts'
import type { TaskQueues } from '../queues/task-queues.ts'
import type { DeliveryOutcome } from '../queues/task-worker.ts'
import { openingEvents } from '../records/opening-events.ts'
import type { RecordStore } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import { NESTED_QUEUE, queueOf } from '../routing/queue-of.ts'
import type { NewEvent } from '../tasks/event.ts'

export interface MoveTaskDeps {
  records: Pick<RecordStore, 'write'>
  queues: Pick<TaskQueues, 'deliver' | 'withdraw'>
  now(): number
}

/**
 * Sends a claimed task that was not started to the queue of another tier. The new delivery is there before the record
 * names its queue; whichever of the two is stale then is completed by its claim.
 */
export async function moveTask(
  record: TaskRecord,
  { route, reason }: Moved,
  { records, queues, now }: MoveTaskDeps,
): Promise<DeliveryOutcome> {
  const { id, fence, seq, key, input, directory } = record
  // Below a parent it waits for no tier.
  const queue = record.queue === NESTED_QUEUE ? NESTED_QUEUE : queueOf(route)
  if (queue !== record.queue) {
    // What is left of an earlier delivery there has the same id.
    await queues.withdraw(queue, id)
    await queues.deliver({ ...deliveryOf(id, { input, key, route, queue, directory }), delayMs: 0 })
  }
  const at = now()
  const attempt = record.attempt - 1
  const events: NewEvent[] = [
    ...(seq === 0 ? openingEvents(record) : []),
    { type: 'task-routed', at, attempt, route },
    { type: 'model-changed', at, attempt, from: record.model, to: route.model, reason },
  ]
  const fields = {
    ...{ queue, route: JSON.stringify(route), model: route.model, attempt },
    ...(attempt === 0 && { startedAt: '' }),
  }
  const result = await records.write({ id, fence, seq, now: at, events, fields, to: 'waiting' })
  if (result.status === 'stale') return { status: 'completed', note: 'stale: taken over' }
  return queue === record.queue ? { status: 'returned' } : { status: 'completed', note: `moved to ${queue}` }
}
