/**
 * What goes on in one directory of one server, for all turns of this process that run there: one event
 * connection, one poll of what is busy and of what is asked.
 */
import { type AskNotice, type AskRelay, type BackendLogger, createAskRelay } from './asks.ts'
import { type EventFeed, openEventFeed } from './event-feed.ts'
import type { OpenCodeHttp } from './http.ts'
import type { SessionEvent } from './session-event.ts'
import { isBusyIn } from './wire.ts'

const POLL_MS = 2_000

export type Notice =
  | Exclude<SessionEvent, { type: 'asked' | 'replied' }>
  | AskNotice
  /** The event connection broke: events are missing from here on. */
  | { type: 'disconnected' }
  /** What the server said of the session when it was asked at `askedAt`, unasked by the turn. */
  | { type: 'polled'; isBusy: boolean; askedAt: number }
  /** `abort` was called for the session. */
  | { type: 'abort-asked' }

export interface DirectoryWatch {
  /** Resolves while events come in. @throws {TierlineError} `opencode_unavailable` after the patience. */
  connected(patienceMs: number, signal: AbortSignal): Promise<void>
  /** Tells `listener` all that concerns the session, until the returned function is called. */
  listen(
    sessionID: string,
    listener: (notice: Notice) => void,
    /** Asks of an attended session are left to its client. */
    options?: { isAttended: boolean },
  ): () => void
  /** Tells what is known of messages and parts of a session below one of ours. */
  overhear(sessionID: string, listener: (event: SessionEvent) => void): () => void
  /** Tells the listeners of a session, now, what it asks; otherwise they hear of it with the next poll. */
  listAsks(): Promise<void>
  /** Tells the listeners of a session something that does not come from the server. */
  tell(sessionID: string, notice: Notice): void
  close(): Promise<void>
}

export interface WatchOptions {
  http: OpenCodeHttp
  /** How long an event connection may be silent before it counts as broken. */
  silenceMs: number
  logger: BackendLogger | undefined
}

export function watchDirectory(
  directory: string | undefined,
  { http, silenceMs, logger }: WatchOptions,
): DirectoryWatch {
  const closing = new AbortController()
  const listeners = new Map<string, Set<(notice: Notice) => void>>()
  const attended = new Set<string>()
  const overhearing = new Map<string, (event: SessionEvent) => void>()
  let timer: NodeJS.Timeout | undefined
  let polling: Promise<void> = Promise.resolve()

  const relay: AskRelay = createAskRelay({
    http,
    directory,
    sessions: () => listeners.keys(),
    tell,
    isOurs: (sessionID) => listeners.has(sessionID) && !attended.has(sessionID),
    signal: closing.signal,
    logger,
  })

  function tell(sessionID: string, notice: Notice): void {
    for (const listener of listeners.get(sessionID) ?? []) listener(notice)
  }

  function tellAll(notice: Notice): void {
    for (const sessionID of listeners.keys()) tell(sessionID, notice)
  }

  const feed: EventFeed = openEventFeed(http, directory, silenceMs, {
    event(event) {
      if (event.type === 'asked') void relay.seen(event.kind, event.ask)
      else if (event.type === 'replied') relay.replied(event.askID, event.reply)
      else {
        tell(event.sessionID, event)
        if (event.type === 'message' || event.type === 'part') overhearing.get(event.sessionID)?.(event)
      }
    },
    connected: () => {},
    disconnected: () => tellAll({ type: 'disconnected' }),
  })

  function schedule(): void {
    if (timer !== undefined || closing.signal.aborted || listeners.size === 0) return
    timer = setTimeout(() => {
      polling = poll()
    }, POLL_MS)
  }

  async function poll(): Promise<void> {
    const askedAt = Date.now()
    if (feed.isConnected) {
      const statuses = await http.statuses(directory, closing.signal).catch(() => undefined)
      if (statuses) {
        await relay.sweep(statuses)
        for (const sessionID of listeners.keys())
          tell(sessionID, {
            type: 'polled',
            isBusy: isBusyIn(statuses, sessionID),
            askedAt,
          })
      }
    }
    timer = undefined
    schedule()
  }

  return {
    connected: (patienceMs, signal) => feed.connected(patienceMs, signal),
    listen(sessionID, listener, { isAttended } = { isAttended: false }) {
      const known = listeners.get(sessionID) ?? new Set()
      listeners.set(sessionID, known)
      known.add(listener)
      if (isAttended) attended.add(sessionID)
      schedule()
      return () => {
        known.delete(listener)
        if (known.size > 0 || listeners.get(sessionID) !== known) return
        listeners.delete(sessionID)
        attended.delete(sessionID)
      }
    },
    overhear(sessionID, listener) {
      overhearing.set(sessionID, listener)
      return () => {
        if (overhearing.get(sessionID) === listener) overhearing.delete(sessionID)
      }
    },
    async listAsks() {
      const statuses = await http.statuses(directory, closing.signal).catch(() => undefined)
      if (statuses) await relay.sweep(statuses)
    },
    tell,
    async close() {
      closing.abort(new Error('the backend was closed'))
      clearTimeout(timer)
      await Promise.all([feed.close(), polling])
    },
  }
}
