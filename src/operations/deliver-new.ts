import type { Delivery, TaskQueues } from '../queues/task-queues.ts'
import type { RecordStore } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { TaskGates } from './task-gates.ts'

/**
 * Delivers a task whose record is written. One that has to wait in a line gets its place there first, and its job
 * is put off from the start: no worker takes it only to put it back.
 *
 * `before`: how many are before it in its line, where its record was written together with its place.
 * One round trip; for a task of a line one more where that is not known, and where it must wait another one.
 */
export function createDeliverNew(deps: { records: RecordStore; queues: TaskQueues; gates: TaskGates }) {
  const { records, queues, gates } = deps
  return async (record: TaskRecord, delivery: Delivery, before?: number): Promise<void> => {
    const { id } = record
    const line = before === 0 ? undefined : gates.lineOf(record)
    const entry = before === undefined ? await line?.join(id) : line?.shutBehind(before)
    if (entry === undefined || entry === 'occupied' || entry.status === 'open')
      return queues.deliver(delivery)
    const { detail, until, wakeInMs } = entry
    record.waitingFor = { reason: line!.reason, detail, until }
    const [, , isOpen] = await Promise.all([
      records.setWaitingFor(id, record.waitingFor),
      queues.deliver({ ...delivery, delayMs: wakeInMs }),
      // Its turn may have come before there was a job to promote.
      line!.isOpenTo(id),
    ])
    if (isOpen) await queues.promote(delivery.queue, id)
  }
}

export type DeliverNew = ReturnType<typeof createDeliverNew>
