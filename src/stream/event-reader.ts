/** Reads the log of a task from any point, then live, without a gap and without a repeat. */
import { TierlineError } from '../errors.ts'
import { openingEvents } from '../records/opening-events.ts'
import { taskNotFound } from '../records/task-not-found.ts'
import { parseRecord, type TaskRecord } from '../records/task-record.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import type { NewEvent, StreamItem, TaskEvent } from '../tasks/event.ts'
import { isTerminal } from '../tasks/state.ts'
import { createInbox } from './inbox.ts'
import type { LiveHub } from './live-hub.ts'

const PAGE = 500

export interface EventReaderOptions {
  redis: RedisClient
  keys: Keys
  hub: LiveHub
}

export interface ReadOptions {
  /** Exclusive; 0: from the start. */
  after: number
  signal: AbortSignal
}

/**
 * Gives a function that reads one task's events: two round trips to start, none while live.
 *
 * The iteration ends with an `end` item, or silently at `signal`. Where the log was trimmed it gives `reset`.
 * @throws {TierlineError} `task_not_found`, or `log_expired` when a finished task's log is gone.
 */
export function createEventReader({ redis, keys, hub }: EventReaderOptions) {
  return async function* readEvents(id: string, { after, signal }: ReadOptions): AsyncGenerator<StreamItem> {
    const inbox = createInbox(signal)
    const stop = await hub.listen(keys.channel(id), inbox.put)
    try {
      let next = after + 1
      for (;;) {
        // From the log, until it has nothing more.
        let last: TaskEvent | undefined
        for (;;) {
          const { record, events, full } = await look(id, next)
          const first = events[0]
          if (first !== undefined && first.seq > next) yield { type: 'reset', missing: [next, first.seq - 1] }
          for (const event of events) yield event
          last = events.at(-1)
          if (last !== undefined) next = last.seq + 1
          if (full) continue
          if (isTerminal(record.state) && next > record.seq) {
            yield { type: 'end', state: record.state as 'succeeded' }
            return
          }
          break
        }
        // Live, until something may be missing.
        for (;;) {
          const batch = await inbox.take()
          if (signal.aborted) return
          if (batch === undefined || (batch[0] !== undefined && batch[0].seq > next)) break
          for (const event of batch) {
            if (event.seq < next) continue
            yield event
            next = event.seq + 1
          }
          const end = batch.at(-1)
          if (end?.type === 'task-finished' && end.seq === next - 1) {
            yield { type: 'end', state: end.state }
            return
          }
        }
      }
    } finally {
      stop()
    }
  }

  /** Record and the next entries in one round trip; before the first claim the entries come from the record. */
  async function look(id: string, next: number): Promise<Page> {
    const [hash, entries] = await Promise.all([
      redis.hgetall(keys.task(id)),
      redis.xrange(keys.log(id), `${next}-0`, '+', 'COUNT', PAGE),
    ])
    const record = parseRecord(id, hash)
    if (record === undefined) throw taskNotFound(id)
    if (entries.length === 0 && record.seq === 0)
      return {
        record,
        events: openingEvents(record)
          .map((event, index) => ({ seq: index + 1, ...event }))
          .slice(next - 1),
        full: false,
      }
    if (entries.length === 0 && isTerminal(record.state) && next <= record.seq) {
      throw new TierlineError(
        'log_expired',
        `Cannot read the events of task "${id}": its log was removed after its time; the task and its result are still there`,
      )
    }
    const events = entries.flatMap(([entryID, fields]) => parseEntry(entryID, fields))
    return { record, events: events.filter(({ seq }) => seq >= next), full: entries.length === PAGE }
  }
}

interface Page {
  record: TaskRecord
  events: TaskEvent[]
  /** There may be more. */
  full: boolean
}

/** `['7-0', ['e', '[{"type":…},{…}]']]` → events 6 and 7: an entry has the seq of its last event. */
export function parseEntry(entryID: string, fields: readonly string[]): TaskEvent[] {
  const events = JSON.parse(fields[1]!) as NewEvent[]
  const first = Number.parseInt(entryID, 10) - events.length + 1
  return events.map((event, index) => ({ seq: first + index, ...event }))
}
