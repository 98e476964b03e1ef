/**
 * Events that were written together, as one text: `'7 [{"type":…},{…}]'` are events 7 and 8. It stands so in the log and
 * goes to those who listen, so that a script need not make one of the other.
 */
import type { NewEvent, TaskEvent } from './event.ts'

/** `first`: seq of the first of them. */
export function writeBatch(first: number, events: readonly NewEvent[]): string {
  return `${first} ${JSON.stringify(events)}`
}

/** The events without their `seq`. */
export function eventsOfBatch(batch: string): NewEvent[] {
  return JSON.parse(batch.slice(batch.indexOf('['))) as NewEvent[]
}

export function readBatch(batch: string): TaskEvent[] {
  return numbered(Number.parseInt(batch, 10), eventsOfBatch(batch))
}

export function numbered(first: number, events: readonly NewEvent[]): TaskEvent[] {
  return events.map((event, index) => ({ seq: first + index, ...event }))
}
