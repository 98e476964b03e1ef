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
  let pending = ''
  let scheduled = false
  const flush = () => {
    scheduled = false
    if (pending !== '' && !response.destroyed) writePiece(response, pending)
    pending = ''
  }
  const heartbeat = setInterval(() => {
    if (!needsDrain(response) && !response.destroyed) writePiece(response, ':\n\n')
  }, sse.heartbeatMs)

  // With the headers, which are on their way after this.
  if (!response.destroyed) response.write(`retry: ${RETRY_MS}\n\n`)
  try {
    let next = first ?? (await items.next())
    while (!next.done && !signal.aborted) {
      pending += frameOf(next.value)
      if (needsDrain(response)) await drained(response, signal)
      if (pending.length >= sse.maxBufferedChars) flush()
      else if (!scheduled) {
        // Runs once nothing more is ready: what came with this item is in the same write.
        scheduled = true
        process.nextTick(flush)
      }
      next = await items.next()
    }
    flush()
    if (needsDrain(response) && signal.aborted) response.destroy()
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

/**
 * As `response.write`, for a fraction of its time: that hands length, text and line breaks of a chunk to the socket one by
 * one, and they meet again in the kernel. Not for the first piece, which takes the headers along.
 */
function writePiece(response: ServerResponse, text: string): void {
  const { socket } = response
  // A client that speaks HTTP/1.0 knows no chunks; one that asks for more before it has this answer has no socket yet.
  if (!response.chunkedEncoding || socket === null) {
    response.write(text)
    return
  }
  const bytes = Buffer.byteLength(text)
  socket.write(`${bytes.toString(16)}\r\n${text}\r\n`, bytes === text.length ? 'latin1' : 'utf8')
}

/** Of the socket, which `writePiece` writes to behind the back of the response. */
function needsDrain({ socket, writableNeedDrain }: ServerResponse): boolean {
  return socket === null ? writableNeedDrain : socket.writableNeedDrain
}

/** Resolves when the socket takes more, or will not any more. */
function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  const { socket } = response
  return new Promise((resolve) => {
    const done = () => {
      socket?.off('drain', done)
      response.off('drain', done).off('close', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    socket?.on('drain', done)
    response.on('drain', done).on('close', done)
    signal.addEventListener('abort', done)
    if (signal.aborted || response.destroyed) done()
  })
}
