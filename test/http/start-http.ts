/** The HTTP server over ports in memory, on a free port, and what a test needs to speak with it. */
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../../src/http/server.ts'
import { createMemoryPorts, type MemoryPorts } from '../doubles/memory-ports.ts'
import { SERVER_DEFAULTS } from './server-defaults.ts'

export interface RunningHttp {
  readonly url: string
  readonly ports: MemoryPorts
  readonly server: HttpServer
  /** What was logged, as `level message`. */
  readonly logged: string[]
}

const running: RunningHttp[] = []

/** `prepare` gets the server before it listens. */
export async function startHttp(
  options: Partial<HttpServerOptions> = {},
  prepare: (server: HttpServer) => void = () => {},
): Promise<RunningHttp> {
  const ports = createMemoryPorts()
  const logged: string[] = []
  const server = createHttpServer({
    ...SERVER_DEFAULTS,
    board: true,
    logger: {
      warn: (_fields, message) => void logged.push(`warn ${message}`),
      error: (_fields, message) => void logged.push(`error ${message}`),
    },
    ports,
    ...options,
  })
  prepare(server)
  const { url } = await server.listen()
  const http = { url, ports, server, logged }
  running.push(http)
  return http
}

/** For `afterAll`: closes every server of this file. */
export async function closeAll(): Promise<void> {
  await Promise.all(running.splice(0).map(({ server }) => server.close()))
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** The body as JSON; throws where it is none. */
  json(): unknown
}

/** One request with any headers: `fetch` would not send `Host` or `Origin` as it is told. */
export function send(
  url: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: unknown } = {},
): Promise<Answer> {
  const text = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body)
  const type = typeof body === 'object' ? { 'content-type': 'application/json' } : {}
  return new Promise((resolve, reject) => {
    request(url, { method, headers: { ...type, ...headers }, agent: false })
      .on('response', async (response) => {
        let received = ''
        for await (const chunk of response.setEncoding('utf8')) received += chunk
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          text: received,
          json: () => JSON.parse(received) as unknown,
        })
      })
      .on('error', reject)
      .end(text)
  })
}

/** Sends bytes as they are and gives what comes back until the server closes. */
export function talk(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let received = ''
    connect(Number(port), hostname)
      .setEncoding('utf8')
      .on('data', (chunk) => {
        received += chunk
      })
      .on('close', () => resolve(received))
      .on('error', reject)
      .end(bytes)
  })
}
