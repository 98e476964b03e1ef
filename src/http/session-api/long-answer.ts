/** An answer that may take hours: clients and proxies give up on a request that stays silent. */
import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply } from 'fastify'

export interface Patience {
  /** After this time the status goes out. Before it, an error has a status of its own. */
  silentMs: number
  /** Then a blank this often, which JSON allows before its first sign. */
  everyMs: number
}

export const DEFAULT_PATIENCE: Patience = { silentMs: 30_000, everyMs: 15_000 }

/**
 * Sends what `work` resolves to as JSON; `undefined` ends the request without an answer.
 *
 * Rejects with the error of `work` while it may still have a status; later `failed` says what is sent instead.
 */
export async function sendWhenReady(
  reply: FastifyReply,
  work: Promise<object | undefined>,
  { silentMs, everyMs }: Patience,
  failed: (error: unknown) => object,
): Promise<void> {
  let isOut = false
  let timer = setTimeout(begin, silentMs)
  function begin(): void {
    isOut = true
    reply.hijack()
    reply.raw.writeHead(200, {
      ...(reply.getHeaders() as OutgoingHttpHeaders),
      'content-type': 'application/json',
    })
    breathe()
    timer = setInterval(breathe, everyMs)
  }
  function breathe(): void {
    if (!reply.raw.destroyed && !reply.raw.writableNeedDrain) reply.raw.write(' ')
  }
  try {
    const answer = await work
    if (isOut) reply.raw.end(answer === undefined ? '' : JSON.stringify(answer))
    else if (answer !== undefined) await reply.type('application/json').send(JSON.stringify(answer))
    else reply.hijack().raw.destroy()
  } catch (error) {
    if (!isOut) throw error
    reply.raw.end(JSON.stringify(failed(error)))
  } finally {
    clearTimeout(timer)
  }
}
