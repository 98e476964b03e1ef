/** The body of an SSE answer as messages. With `fetch` and not EventSource, which sends no Authorization. */
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { TierlineError } from '../errors.ts'
import { LONGEST_TIMER_MS } from './patience.ts'

export interface ReadSseOptions {
  /** Longest time without a byte; then the connection counts as dead. */
  silenceMs: number
  /** Called for every comment, which is what a heartbeat is. */
  onHeartbeat(): void
}

/**
 * Gives each message as soon as its last byte is there, and ends when the server closes.
 *
 * Ending the iteration closes the connection.
 * @throws {TierlineError} `server_unreachable` when the connection breaks or falls silent, `unexpected_answer`.
 */
export async function* readSse(
  response: Response,
  { silenceMs, onHeartbeat }: ReadSseOptions,
): AsyncGenerator<EventSourceMessage> {
  const type = response.headers.get('content-type') ?? ''
  if (response.body === null || !type.startsWith('text/event-stream')) {
    await response.body?.cancel()
    throw new TierlineError(
      'unexpected_answer',
      `Cannot read the events: the server answered with "${type}", not "text/event-stream"`,
      { httpStatus: response.status },
    )
  }
  let messages: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (message) => messages.push(message), onComment: onHeartbeat })
  const decoder = new TextDecoder()
  const reader = response.body.getReader()
  let silent = false
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    for (;;) {
      clearTimeout(timer)
      timer = setTimeout(
        () => {
          silent = true
          void reader.cancel().catch(() => {})
        },
        Math.min(silenceMs, LONGEST_TIMER_MS),
      )
      const { done, value } = await reader.read().catch((cause) => {
        throw broken('the connection broke', cause)
      })
      clearTimeout(timer)
      if (silent) throw broken(`nothing came for ${silenceMs} ms`)
      if (done) return
      parser.feed(decoder.decode(value, { stream: true }))
      if (messages.length === 0) continue
      const batch = messages
      messages = []
      yield* batch
    }
  } finally {
    clearTimeout(timer)
    await reader.cancel().catch(() => {})
  }
}

function broken(reason: string, cause?: unknown): TierlineError {
  return new TierlineError('server_unreachable', `Cannot read on in the events: ${reason}`, { cause })
}
