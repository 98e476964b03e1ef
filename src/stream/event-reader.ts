/** Reads the log of a task from any point, then live, without a gap and without a repeat. */
import { TierlineError } from '../errors.ts'
import { taskNotFound } from '../records/task-not-found.ts'
import { parseRecord, type TaskRecord } from '../records/task-record.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import type { StreamItem, TaskEvent } from '../tasks/event.ts'
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
    const stop = await hub.listen(keys.live(id), inbox.put)
    try {
      let next = after + 1
      for (;;) {
        // From the log, until it has nothing more.
        let last: TaskEvent | undefined
        for (;;) {
          const { record, events } = await look(id, next)
          const first = events[0]
          if (first !== undefined && first.seq > next) yield { type: 'reset', missing: [next, first.seq - 1] }
          for (const event of events) yield event
          last = events.at(-1)
          if (last !== undefined) next = last.seq + 1
          if (events.length >= PAGE) continue
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
  async function look(id: string, next: number): Promise<{ record: TaskRecord; events: TaskEvent[] }> {
    const [hash, entries] = await Promise.all([
      redis.hgetall(keys.task(id)),
      redis.xrange(keys.log(id), `${next}-0`, '+', 'COUNT', PAGE),
    ])
    const record = parseRecord(id, hash)
    if (record === undefined) throw taskNotFound(id)
    if (entries.length === 0 && record.seq === 0)
      return { record, events: openingEvents(record).slice(next - 1) }
    if (entries.length === 0 && isTerminal(record.state) && next <= record.seq) {
      throw new TierlineError(
        'log_expired',
        `Cannot read the events of task "${id}": its log was removed after its time; the task and its result are still there`,
      )
    }
    return { record, events: entries.map(([entryID, fields]) => parseEntry(entryID, fields)) }
  }
}

/** What the first claim will write as 1 and 2, for readers who come before it. */
function openingEvents(record: TaskRecord): TaskEvent[] {
  const at = record.createdAt
  return [
    { seq: 1, type: 'task-queued', at, attempt: 0, queue: record.queue },
    { seq: 2, type: 'task-routed', at, attempt: 0, route: record.route },
  ]
}

/** `['7-0', ['e', '{"type":…}']]` → event 7. */
export function parseEntry(entryID: string, fields: readonly string[]): TaskEvent {
  return { seq: Number.parseInt(entryID, 10), ...JSON.parse(fields[1]!) } as TaskEvent
}
