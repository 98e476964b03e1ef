/** Reads the log of a task from any point, then live, without a gap and without a repeat. */
import { TierlineError } from '../errors.ts'
import { openingEvents } from '../records/opening-events.ts'
import { taskNotFound } from '../records/task-not-found.ts'
import { parseRecord } from '../records/task-record.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { translateRedisError } from '../redis/redis-unavailable.ts'
import type { NewEvent, StreamItem, TaskEvent } from '../tasks/event.ts'
import { isTerminal } from '../tasks/state.ts'
import { createInbox, type Inbox } from './inbox.ts'
import type { LiveHub } from './live-hub.ts'
import { patiently } from './patiently.ts'

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
  return async function* readEvents(id: string, { after, signal }: ReadOptions): AsyncGenerator<StreamItem> {
    if (signal.aborted) return
    const inbox = createInbox(signal)
    let stop: (() => void) | undefined
    try {
      stop = await hub.listen(keys.channel(id), inbox.put)
      let next = after + 1
      let page: Page | undefined = await look(id, next)
      while (page !== undefined && !signal.aborted) {
        const first = page.events[0]
        if (first !== undefined && first.seq > next) yield { type: 'reset', missing: [next, first.seq - 1] }
        for (const event of page.events) {
          if (event.seq < next) continue
          yield event
          if (signal.aborted) return
          next = event.seq + 1
        }
        if (page.end !== undefined && next > page.end.seq) {
          yield { type: 'end', state: page.end.state }
          return
        }
        page =
          (page.full ? undefined : await live(inbox, next)) ?? (await patiently(signal, () => look(id, next)))
      }
    } finally {
      stop?.()
      inbox.close()
    }
  }

  /** Record and the next entries in one round trip; before the first claim the entries come from the record. */
  async function look(id: string, next: number): Promise<Page> {
    const [hash, entries] = await Promise.all([
      redis.hgetall(keys.task(id)),
      redis.xrange(keys.log(id), `${next}-0`, '+', 'COUNT', PAGE),
    ]).catch((error) => {
      throw translateRedisError(error)
    })
    const record = parseRecord(id, hash)
    if (record === undefined) throw taskNotFound(id)
    const { state, seq } = record
    const end = isTerminal(state) ? { state: state as End['state'], seq } : undefined
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

type End = Extract<StreamItem, { type: 'end' }>

interface Page {
  events: readonly TaskEvent[]
  /** There may be more. */
  full: boolean
  /** The task is over, with this event as its last. */
  end: { state: End['state']; seq: number } | undefined
}

/** What was appended next; `undefined` when something may be missing, or at the signal. */
async function live(inbox: Inbox, next: number): Promise<Page | undefined> {
  const events = await inbox.take()
  const [first, last] = [events?.[0], events?.at(-1)]
  if (events === undefined || first === undefined || first.seq > next) return undefined
  // One that was read from the log already may have been followed by a retry.
  const isEnd = last?.type === 'task-finished' && last.seq >= next - 1
  return { events, full: false, end: isEnd ? { state: last.state, seq: last.seq } : undefined }
}

/** `['7-0', ['e', '[{"type":…},{…}]']]` → events 6 and 7: an entry has the seq of its last event. */
export function parseEntry(entryID: string, fields: readonly string[]): TaskEvent[] {
  const events = JSON.parse(fields[1]!) as NewEvent[]
  const first = Number.parseInt(entryID, 10) - events.length + 1
  return events.map((event, index) => ({ seq: first + index, ...event }))
}
