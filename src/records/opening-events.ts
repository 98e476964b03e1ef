import type { NewEvent } from '../tasks/event.ts'
import type { TaskRecord } from './task-record.ts'

/**
 * The first events of every task. A submit writes no log, to be fast: the worker's first write begins
 * with these, and a reader who comes before it gets them from the record.
 */
export function openingEvents({ createdAt: at, queue, route, waitingFor }: TaskRecord): NewEvent[] {
  const events: NewEvent[] = [
    { type: 'task-queued', at, attempt: 0, queue },
    { type: 'task-routed', at, attempt: 0, route },
  ]
  // It had to wait from the start: one that was refused later has a log.
  if (waitingFor !== null) events.push({ type: 'task-parked', at, attempt: 0, waitingFor })
  return events
}
