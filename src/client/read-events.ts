/** The events of one task over HTTP, as if the connection never broke. */
import type { EventSourceMessage } from 'eventsource-parser'
import { TierlineError } from '../errors.ts'
import type { StreamItem } from '../tasks/event.ts'
import type { EventsOptions } from '../tasks/handle.ts'
import type { Api } from './api.ts'
import { createPatience } from './patience.ts'
import { readSse } from './read-sse.ts'

/** A connection that lived this long did work, even when nothing happened to the task meanwhile. */
const PROVEN_MS = 5_000

export interface ReaderOptions {
  /** How long the server may be away. */
  patienceMs: number
  silenceMs: number
}

/**
 * Reads from `after` on until `end`, and opens the stream again wherever it broke.
 *
 * What comes twice is dropped; where a number is missing it asks again.
 * @throws {TierlineError} `task_not_found`, `log_expired`; `server_unreachable` when the patience is over.
 */
export async function* readEvents(
  api: Api,
  path: string,
  { after = 0, signal, patienceMs, silenceMs }: EventsOptions & ReaderOptions,
): AsyncGenerator<StreamItem> {
  const patience = createPatience(patienceMs, signal)
  let last = after
  while (!signal?.aborted) {
    const connection = new AbortController()
    const hangUp = () => connection.abort()
    signal?.addEventListener('abort', hangUp)
    try {
      // `after`, not `Last-Event-ID`: a header more would cost a browser a preflight each time.
      const query = new URLSearchParams({ after: String(last) })
      const response = await api.send(path, {
        query,
        accept: 'text/event-stream',
        signal: connection.signal,
        repeat: 'never',
      })
      const openedAt = performance.now()
      try {
        for await (const message of readSse(response, { silenceMs, onHeartbeat: patience.reset })) {
          const item = itemOf(message)
          if (item.type === 'reset') {
            if (item.missing[1] <= last) continue
            last = item.missing[1]
          } else if (item.type !== 'end') {
            if (item.seq <= last) continue
            if (item.seq > last + 1) throw missing(last + 1, item.seq)
            last = item.seq
          }
          patience.reset()
          yield item
          if (item.type === 'end') return
        }
      } finally {
        if (performance.now() - openedAt > PROVEN_MS) patience.reset()
      }
      throw new TierlineError(
        'server_unreachable',
        'Cannot read on in the events: the server closed the stream',
      )
    } catch (error) {
      if (signal?.aborted) return
      await patience.bear(error)
    } finally {
      signal?.removeEventListener('abort', hangUp)
      connection.abort()
    }
  }
}

/** `reset` and `end` carry their type in the name of the event only. */
function itemOf({ event, data }: EventSourceMessage): StreamItem {
  try {
    return { type: event, ...JSON.parse(data) } as StreamItem
  } catch (cause) {
    throw new TierlineError('unexpected_answer', `Cannot read the event "${event}": its data is not JSON`, {
      cause,
    })
  }
}

function missing(expected: number, got: number): TierlineError {
  return new TierlineError(
    'unexpected_answer',
    `Cannot read on in the events: number ${got} came where ${expected} must be`,
    { retryable: true },
  )
}
