/**
 * The one pen of a running task: log entries, record fields and state go out in order, one write at a time.
 *
 * Text is coalesced: the first delta goes out at once, then one write per 20 ms on the average while it flows
 * (docs/architecture.md "Stream"); what else happens, the end of a part too, goes out at once and takes the
 * text along. What is added while a write is on its way goes out with the next.
 */
import type { RecordFields } from '../records/record-fields.ts'
import type { LetGo, Write, WriteResult } from '../records/record-store.ts'
import type { NewEvent } from '../tasks/event.ts'
import type { Alarm, Alarms } from './alarms.ts'
import type { Book } from './book.ts'

/** Between two writes of text, on the average. */
const COALESCE_MS = 20
/** One that was late may be followed so much sooner: else a stream that was held up once would stay behind for good. */
const CATCH_UP_MS = 15

/** An event without what the journal knows: `at` and `attempt`. */
export type JournalEvent = NewEvent extends infer E
  ? E extends NewEvent
    ? Omit<E, 'at' | 'attempt'>
    : never
  : never

type DeltaEvent = Extract<NewEvent, { type: 'text-delta' | 'reasoning-delta' }>

export interface JournalOptions {
  id: string
  fence: number
  attempt: number
  /** The seq the log is at. */
  seq: number
  /** Goes out soon, or with the first write. */
  opening: readonly NewEvent[]
  /** Go with the first write. */
  openingFields?: RecordFields
  /** Goes along with each write that has events or a state: such a one may be repeated. */
  book?: Pick<Book, 'due'>
  write(write: Write): Promise<WriteResult>
  /** Shared with other journals: what they write in the same moment goes out together. */
  alarms: Alarms
  now(): number
  /** Another worker has the task: nothing more is written. Called once. */
  onStale(): void
  /** Somebody asked for a cancel; a write noticed. May be called more than once. */
  onCancelRequested(): void
}

export interface Journal {
  /** Takes an event down; it goes out soon, or with the next `commit`. */
  add(event: JournalEvent): void
  /**
   * Writes all that is pending, with these fields and this state, in one round trip. `false`: stale. `letGo`: with a
   * state in which the task is over.
   */
  commit(fields?: RecordFields, to?: Write['to'], letGo?: LetGo): Promise<boolean>
  /** Nothing goes out by itself any more; what is pending is lost unless committed. */
  close(): void
}

/** See `Journal`. Round trips: one per commit, about 50 a second for flowing text. */
export function createJournal(options: JournalOptions): Journal {
  const { id, fence, attempt, alarms, now } = options
  let seq = options.seq
  let pending: NewEvent[] = [...options.opening]
  let { openingFields } = options
  let writing: Promise<boolean> = Promise.resolve(true)
  let busy = false
  let stale = false
  let closed = false
  let alarm: Alarm | undefined
  /** When the writes of text so far are over, at `COALESCE_MS` each. */
  let textUntil = 0
  /** The same for everything, after a write that failed. */
  let allDueAt = 0

  function add(event: JournalEvent): void {
    const last = pending.at(-1)
    if (
      isDelta(event) &&
      last !== undefined &&
      isDelta(last) &&
      last.type === event.type &&
      last.partID === event.partID
    ) {
      last.text += event.text
    } else {
      // In this order on the wire: type, at, attempt, then the event's own.
      pending.push(Object.assign({ type: event.type, at: now(), attempt }, event) as NewEvent)
    }
    schedule()
  }

  function schedule(): void {
    if (busy || stale || closed) return
    const wantedAt = Math.max(allDueAt, pending.every(isDelta) ? textUntil - CATCH_UP_MS : 0)
    // A clock that was set back would hold the text back for as long.
    const dueAt = Math.min(wantedAt, now() + COALESCE_MS)
    if (alarm !== undefined && alarm.dueAt <= dueAt) return
    alarm?.cancel()
    alarm = alarms.set(dueAt, now(), () => {
      alarm = undefined
      void commit().catch(() => {})
    })
  }

  function commit(fields: RecordFields = {}, to?: Write['to'], letGo?: LetGo): Promise<boolean> {
    const turn = writing.then(() => writePending(fields, to, letGo))
    writing = turn.catch(() => true)
    return turn
  }

  async function writePending(
    fields: RecordFields,
    to: Write['to'],
    letGo: LetGo | undefined,
  ): Promise<boolean> {
    if (stale) return false
    const events = pending
    if (events.length === 0 && to === undefined && isEmpty(fields)) return true
    const all = openingFields === undefined ? fields : { ...openingFields, ...fields }
    pending = []
    alarm?.cancel()
    alarm = undefined
    busy = true
    if (events.some(isDelta))
      textUntil = Math.min(Math.max(now(), textUntil), now() + COALESCE_MS) + COALESCE_MS
    const end = to === 'waiting' || to === 'delayed' ? undefined : to
    const entries =
      events.length > 0 || to !== undefined ? options.book?.due(end, 'checkpoint' in all) : undefined
    try {
      const result = await options.write({
        id,
        fence,
        seq,
        now: now(),
        events,
        fields: entries === undefined ? all : { ...all, ...entries.fields },
        ...(entries !== undefined && { ledger: entries.ledger }),
        ...(to && { to }),
        ...(letGo && { letGo }),
      })
      if (result.status === 'stale') {
        stale = true
        options.onStale()
        return false
      }
      seq = result.seq
      entries?.written()
      openingFields = undefined
      if (result.cancelRequested) options.onCancelRequested()
      return true
    } catch (error) {
      // Nothing was written: it goes out with the next write, and nothing is lost in between.
      pending = [...events, ...pending]
      allDueAt = now() + COALESCE_MS
      throw error
    } finally {
      busy = false
      if (pending.length > 0) schedule()
    }
  }

  if (pending.length > 0) schedule()
  return {
    add,
    commit,
    close() {
      closed = true
      alarm?.cancel()
    },
  }
}

function isDelta(event: { type: string }): event is DeltaEvent {
  return event.type === 'text-delta' || event.type === 'reasoning-delta'
}

function isEmpty(fields: RecordFields): boolean {
  for (const _ in fields) return false
  return true
}
