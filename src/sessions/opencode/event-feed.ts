/**
 * The events of one directory of one server, over one connection for all who listen.
 *
 * OpenCode replays nothing, so a gap is told (`disconnected`) and whoever cares reads the messages again.
 */
import { createParser } from 'eventsource-parser'
import { TierlineError } from '../../errors.ts'
import type { OpenCodeHttp } from './http.ts'
import { createBackoff } from './patience.ts'
import { OpenCodeRefusal } from './refusal.ts'
import { readSessionEvent, type SessionEvent } from './session-event.ts'

const SECOND = 1_000
/** A request that meets a server while it boots may hang for ever, so the first tries are short. */
const CONNECT_TIMEOUTS_MS = [2 * SECOND, 4 * SECOND, 8 * SECOND, 30 * SECOND]

export interface EventFeed {
  readonly isConnected: boolean
  /**
   * Resolves while connected.
   *
   * @throws {TierlineError} `opencode_unavailable` after `patienceMs`, or at once when the server refuses.
   */
  connected(patienceMs: number, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export interface EventFeedListener {
  event(event: SessionEvent): void
  connected(): void
  disconnected(): void
}

/** Connects at once, and again whenever the connection breaks or is silent for `silenceMs`, until it is closed. */
export function openEventFeed(
  http: OpenCodeHttp,
  directory: string | undefined,
  silenceMs: number,
  listener: EventFeedListener,
): EventFeed {
  const closing = new AbortController()
  const changed = new Set<() => void>()
  let isConnected = false
  let failure: unknown

  function change(connected: boolean, error?: unknown): void {
    failure = error
    if (isConnected !== connected) {
      isConnected = connected
      if (connected) listener.connected()
      else listener.disconnected()
    }
    for (const check of [...changed]) check()
  }

  async function keepConnected(): Promise<void> {
    const backoff = createBackoff()
    let hangs = 0
    while (!closing.signal.aborted) {
      const timeoutMs = CONNECT_TIMEOUTS_MS[Math.min(hangs, CONNECT_TIMEOUTS_MS.length - 1)]!
      const error = await listen(timeoutMs, () => {
        hangs = 0
        backoff.reset()
        change(true)
      })
      if (closing.signal.aborted) break
      // One that is refused at once says nothing of how long the next may take.
      if (error instanceof Silence) hangs += 1
      change(false, error)
      await backoff.pause(closing.signal)
    }
    change(false, new Error('the connection was closed'))
  }

  /** Resolves with the reason when the connection is over. */
  async function listen(connectTimeoutMs: number, onConnected: () => void): Promise<unknown> {
    const connection = new AbortController()
    const onClosing = (): void => connection.abort(closing.signal.reason)
    closing.signal.addEventListener('abort', onClosing)
    const watchdog = createWatchdog((ms) => connection.abort(new Silence(ms)))
    watchdog.expect(connectTimeoutMs)
    const parser = createParser({
      onEvent({ data }) {
        const event = readSessionEvent(data)
        if (event === 'connected') onConnected()
        else if (event) listener.event(event)
      },
    })
    try {
      const body = await http.events(directory, connection.signal)
      const decoder = new TextDecoder()
      for await (const chunk of untilAborted(body, connection.signal)) {
        parser.feed(decoder.decode(chunk, { stream: true }))
        if (isConnected) watchdog.expect(silenceMs)
      }
      connection.signal.throwIfAborted()
      return new Error('the server ended the connection')
    } catch (error) {
      return connection.signal.aborted ? connection.signal.reason : error
    } finally {
      watchdog.stop()
      closing.signal.removeEventListener('abort', onClosing)
    }
  }

  const finished = keepConnected()

  return {
    get isConnected() {
      return isConnected
    },
    connected(patienceMs, signal) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => settle(() => reject(unavailable(failure))), patienceMs)
        const check = (): void => {
          if (signal.aborted) settle(() => reject(signal.reason))
          else if (isConnected) settle(resolve)
          else if (closing.signal.aborted || isRefusal(failure)) settle(() => reject(unavailable(failure)))
        }
        const settle = (finish: () => void): void => {
          clearTimeout(timer)
          changed.delete(check)
          signal.removeEventListener('abort', check)
          finish()
        }
        changed.add(check)
        signal.addEventListener('abort', check)
        check()
      })
    },
    async close() {
      closing.abort(new Error('the connection was closed'))
      await finished
    },
  }
}

/** An abort may never reach a body that was asked for long ago: what links the two can be collected. */
async function* untilAborted(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  const cancel = (): void => void reader.cancel(signal.reason).catch(() => undefined)
  signal.addEventListener('abort', cancel)
  if (signal.aborted) cancel()
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value
  } finally {
    signal.removeEventListener('abort', cancel)
    cancel()
  }
}

/** A wrong password stays wrong, however often it is tried. */
function isRefusal(error: unknown): boolean {
  return error instanceof OpenCodeRefusal && error.status < 500
}

function unavailable(cause: unknown): TierlineError {
  if (cause instanceof TierlineError) return cause
  const why = cause instanceof Error ? cause.message : 'it did not answer in time'
  return new TierlineError('opencode_unavailable', `Cannot follow the events of OpenCode: ${why}`, { cause })
}

class Silence extends Error {
  constructor(ms: number) {
    super(`no sign of life for ${ms / SECOND} s`)
  }
}

function createWatchdog(bark: (silenceMs: number) => void) {
  let timer: NodeJS.Timeout | undefined
  return {
    expect(withinMs: number) {
      clearTimeout(timer)
      timer = setTimeout(() => bark(withinMs), withinMs)
    },
    stop: () => clearTimeout(timer),
  }
}
