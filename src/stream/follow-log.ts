/**
 * The iteration over one log: first what is there, then what comes.
 *
 * Written out and no generator, since all streams of a process go through here: an event that comes live wakes its reader
 * with two promises, where each generator on its way would add three.
 */
import type { StreamItem, TaskEvent } from '../tasks/event.ts'
import { createInbox, type Inbox } from './inbox.ts'
import type { LiveListener } from './live-hub.ts'
import { patiently } from './patiently.ts'

export type EndState = Extract<StreamItem, { type: 'end' }>['state']

/** What was read of a log in one go. */
export interface LogPage {
  events: readonly TaskEvent[]
  /** There may be more. */
  full: boolean
  /** The task is over, with this event as its last. */
  end: { state: EndState; seq: number } | undefined
}

export interface FollowOptions {
  /** Exclusive; 0: from the start. */
  after: number
  signal: AbortSignal
  /** Resolves when the listener hears of all that comes. */
  listen(listener: LiveListener): Promise<() => void>
  /** What the log holds from `next` on. */
  look(next: number): Promise<LogPage>
}

/**
 * Nothing is asked before the first `next()`. Ends with an `end` item, or silently at `signal`; gives `reset` where the log
 * was trimmed. @throws what `listen` and the first `look` throw; after that it waits for a Redis that goes away.
 */
export function followLog({ after, signal, listen, look }: FollowOptions): AsyncIterableIterator<StreamItem> {
  let next = after + 1
  let inbox: Inbox | undefined
  let stop: (() => void) | undefined
  /** Read and not given yet, from `at` on. */
  let ready: readonly StreamItem[] = []
  let at = 0
  let isFull = false
  let isOver = signal.aborted
  /** Of `next`, and not answered yet. */
  let asked = 0
  let last: ReturnType<typeof step> | undefined

  async function open(): Promise<LogPage> {
    inbox = createInbox(signal)
    stop = await listen(inbox.put)
    if (isOver) stop()
    return look(next)
  }

  function accept(page: LogPage | undefined): void {
    if (page === undefined) return
    const items: StreamItem[] = ready.slice(at)
    const first = page.events[0]
    if (first !== undefined && first.seq > next) items.push({ type: 'reset', missing: [next, first.seq - 1] })
    for (const event of page.events) {
      if (event.seq < next) continue
      items.push(event)
      next = event.seq + 1
    }
    if (page.end !== undefined && next > page.end.seq) items.push({ type: 'end', state: page.end.state })
    ready = items
    at = 0
    isFull = page.full
  }

  function close(): void {
    isOver = true
    ready = []
    stop?.()
    inbox?.close()
  }

  async function step(): Promise<IteratorResult<StreamItem, undefined>> {
    try {
      if (inbox === undefined && !isOver) accept(await open())
      while (!isOver && !inbox!.isClosed()) {
        const value = ready[at]
        if (value === undefined) {
          const events = isFull ? undefined : await inbox!.take()
          if (isOver || inbox!.isClosed()) break
          accept(liveAfter(events, next) ?? (await patiently(signal, () => look(next))))
          continue
        }
        at += 1
        if (value.type === 'end') close()
        return { value, done: false }
      }
    } catch (error) {
      close()
      throw error
    } finally {
      asked -= 1
    }
    close()
    return { value: undefined, done: true }
  }

  return {
    next() {
      // Who asks before the last answer is there waits for its turn.
      last = asked === 0 ? step() : last!.then(step, step)
      asked += 1
      return last
    },
    async return() {
      close()
      return { value: undefined, done: true }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

/** What was appended next; `undefined` when something may be missing. */
function liveAfter(events: readonly TaskEvent[] | undefined, next: number): LogPage | undefined {
  const [first, last] = [events?.[0], events?.at(-1)]
  if (events === undefined || first === undefined || first.seq > next) return undefined
  // One that was read from the log already may have been followed by a retry.
  const isEnd = last?.type === 'task-finished' && last.seq >= next - 1
  return { events, full: false, end: isEnd ? { state: last.state, seq: last.seq } : undefined }
}
