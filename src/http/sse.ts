/** Writes the events of one task to one client, as `text/event-stream`. */
import type { ServerResponse } from 'node:http'
import type { StreamItem } from '../tasks/event.ts'

export interface SseOptions {
  /** A comment is sent this often, so that proxies keep the connection and dead ones are noticed. */
  heartbeatMs: number
  /** Characters of one write at most; beyond it, and what the socket takes, no item is pulled. */
  maxBufferedChars: number
}

export const DEFAULT_SSE: SseOptions = { heartbeatMs: 15_000, maxBufferedChars: 64 * 1024 }

/** How soon an `EventSource` comes back after a cut, in milliseconds. */
const RETRY_MS = 1000

export const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // nginx buffers answers otherwise.
  'x-accel-buffering': 'no',
} as const

/**
 * Writes items until the iterator ends, then ends the response; at `signal` the same at once.
 * Items that are ready together go out in one write. A reader that is slow is waited for, since the
 * log can be read later as well.
 *
 * Throws what the iterator throws; the response is destroyed then, and the client comes back by itself.
 */
export async function writeEventStream(
  response: ServerResponse,
  items: AsyncIterator<StreamItem>,
  { first, signal, sse }: { first?: IteratorResult<StreamItem>; signal: AbortSignal; sse: SseOptions },
): Promise<void> {
  let pending = `retry: ${RETRY_MS}\n\n`
  let scheduled = false
  const flush = () => {
    scheduled = false
    if (pending !== '' && !response.destroyed) response.write(pending)
    pending = ''
  }
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain && !response.destroyed) response.write(':\n\n')
  }, sse.heartbeatMs)

  flush()
  try {
    let next = first ?? (await items.next())
    while (!next.done && !signal.aborted) {
      pending += frameOf(next.value)
      if (response.writableNeedDrain) await drained(response, signal)
      if (pending.length >= sse.maxBufferedChars) flush()
      else if (!scheduled) {
        // Runs once nothing more is ready: what came with this item is in the same write.
        scheduled = true
        process.nextTick(flush)
      }
      next = await items.next()
    }
    flush()
    if (response.writableNeedDrain && signal.aborted) response.destroy()
    else response.end()
  } catch (error) {
    response.destroy()
    throw error
  } finally {
    clearInterval(heartbeat)
    items.return?.().catch(() => {})
  }
}

/** One event of the stream. JSON has no line break of its own, so one `data:` line is enough. */
function frameOf(item: StreamItem): string {
  switch (item.type) {
    case 'reset':
      return `id: ${item.missing[1]}\nevent: reset\ndata: ${JSON.stringify({ missing: item.missing })}\n\n`
    case 'end':
      return `event: end\ndata: ${JSON.stringify({ state: item.state })}\n\n`
    default:
      return `id: ${item.seq}\nevent: ${item.type}\ndata: ${JSON.stringify(item)}\n\n`
  }
}

/** Resolves when the socket takes more, or will not any more. */
function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
    signal.addEventListener('abort', done)
    if (signal.aborted || response.destroyed) done()
  })
}
