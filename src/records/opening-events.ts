import type { NewEvent } from '../tasks/event.ts'
import type { TaskRecord } from './task-record.ts'

/**
 * The first two events of every task. A submit writes no log, to be fast: the worker's first write begins
 * with these, and a reader who comes before it gets them from the record.
 */
export function openingEvents({ createdAt: at, queue, route }: TaskRecord): NewEvent[] {
  return [
    { type: 'task-queued', at, attempt: 0, queue },
    { type: 'task-routed', at, attempt: 0, route },
  ]
}
