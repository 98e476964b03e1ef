/** A real HTTP server that does whatever a test needs of a bad one: cut, lie, fall silent, come back. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void

export interface RudeServer {
  readonly url: string
  /** `GET /v1/tasks/x/events?after=3`, in order of arrival. */
  readonly requests: string[]
  /** Replaces the handler for the requests that come from now on. */
  answer(handler: Handler): void
  /** Stops listening and cuts all connections; `start` takes the same port again. */
  stop(): Promise<void>
  start(): Promise<void>
}

export async function startRudeServer(handler: Handler): Promise<RudeServer> {
  let current = handler
  let port = 0
  let server: Server | undefined
  const requests: string[] = []

  async function start(): Promise<void> {
    server = createServer((request, response) => {
      requests.push(`${request.method} ${request.url}`)
      current(request, response, new URL(request.url!, 'http://rude'))
    }).listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }

  async function stop(): Promise<void> {
    if (server === undefined) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    server = undefined
    await closed
  }

  await start()
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    answer(next) {
      current = next
    },
    start,
    stop,
  }
}

/** Begins an event stream. */
export function openStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
}

/** One text event of a task, as the server writes it. */
export function textEvent(seq: number, text = `${seq} `): string {
  const data = { seq, at: 1, type: 'text-delta', attempt: 1, messageID: 'm', partID: 'p', offset: 0, text }
  return `id: ${seq}\nevent: text-delta\ndata: ${JSON.stringify(data)}\n\n`
}

export const END = 'event: end\ndata: {"state":"succeeded"}\n\n'

export function sendJson(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

/** A problem body as the server makes it. */
export function sendProblem(
  response: ServerResponse,
  status: number,
  problem: { code: string; detail: string; [field: string]: unknown },
  headers = {},
): void {
  const body = { type: `/docs/errors#${problem.code}`, title: problem.code, status, ...problem }
  sendJson(response, status, body, { 'content-type': 'application/problem+json', ...headers })
}
