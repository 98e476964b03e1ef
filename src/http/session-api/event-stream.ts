import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply } from 'fastify'
import { SSE_HEADERS } from '../sse.ts'

/** A client that takes nothing of so much is let go: OpenCode replays nothing, and it reads again when it comes back. */
const MOST_BUFFERED_BYTES = 16 * 1024 * 1024

/** Writes OpenCode's events as it does: `data:` lines alone. Ends with the events, or at `signal`. */
export async function streamEvents(
  reply: FastifyReply,
  events: AsyncIterable<object>,
  signal: AbortSignal,
  onCut: (error: unknown) => void,
): Promise<void> {
  const iterator = events[Symbol.asyncIterator]()
  // The first one proves that there is a server; until then an error has a status of its own.
  let next = await iterator.next()
  reply.headers(SSE_HEADERS).hijack()
  const { raw } = reply
  raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders)
  try {
    while (!next.done && !signal.aborted && raw.writableLength < MOST_BUFFERED_BYTES) {
      raw.write(`data: ${JSON.stringify(next.value)}\n\n`)
      next = await iterator.next()
    }
    if (raw.writableLength < MOST_BUFFERED_BYTES) raw.end()
    else raw.destroy()
  } catch (error) {
    raw.destroy()
    if (!signal.aborted) onCut(error)
  } finally {
    iterator.return?.().catch(() => {})
  }
}
