/** Reads the log of a task from any point, then live, without a gap and without a repeat. */
import { TierlineError } from '../errors.ts'
import { openingEvents } from '../records/opening-events.ts'
import { taskNotFound } from '../records/task-not-found.ts'
import { parseRecord } from '../records/task-record.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { translateRedisError } from '../redis/redis-unavailable.ts'
import type { StreamItem, TaskEvent } from '../tasks/event.ts'
import { eventsOfBatch, numbered } from '../tasks/event-batch.ts'
import { isTerminal } from '../tasks/state.ts'
import { type EndState, followLog, type LogPage } from './follow-log.ts'
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
 * Once it has begun it waits for a Redis that goes away.
 * @throws {TierlineError} `task_not_found`, `redis_unavailable`, or `log_expired` when a finished task's log is gone.
 */
export function createEventReader({ redis, keys, hub }: EventReaderOptions) {
  return function readEvents(id: string, { after, signal }: ReadOptions): AsyncIterableIterator<StreamItem> {
    return followLog({
      after,
      signal,
      listen: (listener) => hub.listen(keys.channel(id), listener),
      look: (next) => look(id, next),
    })
  }

  /** Record and the next entries in one round trip; before the first claim the entries come from the record. */
  async function look(id: string, next: number): Promise<LogPage> {
    const [hash, entries] = await Promise.all([
      redis.hgetall(keys.task(id)),
      redis.xrange(keys.log(id), `${next}-0`, '+', 'COUNT', PAGE),
    ]).catch((error) => {
      throw translateRedisError(error)
    })
    const record = parseRecord(id, hash)
    if (record === undefined) throw taskNotFound(id)
    const { state, seq } = record
    const end = isTerminal(state) ? { state: state as EndState, seq } : undefined
    if (entries.length === 0 && seq === 0) {
      const opening = openingEvents(record).map((event, index) => ({ seq: index + 1, ...event }))
      return { events: opening.slice(next - 1), full: false, end }
    }
    if (entries.length === 0 && end !== undefined && next <= seq)
      throw new TierlineError(
        'log_expired',
        `Cannot read the events of task "${id}": its log was removed after its time; the task and its result are still there`,
      )
    const events = entries.flatMap(([entryID, fields]) => parseEntry(entryID, fields))
    return { events: events.filter((event) => event.seq >= next), full: entries.length === PAGE, end }
  }
}

/** `['7-0', ['e', '6 [{"type":…},{…}]']]` → events 6 and 7: an entry has the seq of its last event. */
export function parseEntry(entryID: string, fields: readonly string[]): TaskEvent[] {
  const events = eventsOfBatch(fields[1]!)
  return numbered(Number.parseInt(entryID, 10) - events.length + 1, events)
}
