/** Passes requests of OpenCode's own clients on to their server, byte for byte, on connections that stay open. */
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, Agent as SecureAgent } from 'node:https'
import { TierlineError } from '../../errors.ts'
import type { ForwardedAnswer, ForwardRequest } from '../backend.ts'
import { basicAuth } from './basic-auth.ts'
import type { OpenCodeAddress } from './http.ts'

/** A server with 300 streams stalls for eleven seconds and is well. */
const SILENCE_MS = 60_000

export interface Forwarder {
  forward(request: ForwardRequest, signal: AbortSignal): Promise<ForwardedAnswer>
  close(): void
}

export function createForwarder({ url, username, password }: OpenCodeAddress): Forwarder {
  const base = new URL(url)
  const isSecure = base.protocol === 'https:'
  const agent = isSecure ? new SecureAgent({ keepAlive: true }) : new Agent({ keepAlive: true })
  const ask = isSecure ? httpsRequest : httpRequest
  const prefix = base.pathname === '/' ? '' : base.pathname.replace(/\/$/, '')
  // Node takes an IPv6 address without the brackets it has in a URL.
  const hostname = base.hostname.replace(/^\[|\]$/g, '')
  const authorization = password === undefined ? undefined : basicAuth(username, password)

  return {
    forward({ method, path, body, isStream = false }, signal) {
      return new Promise((resolve, reject) => {
        const asked = ask(
          {
            agent,
            method,
            hostname,
            port: base.port,
            path: `${prefix}${path}`,
            signal,
            headers: {
              ...(authorization && { authorization }),
              ...(body !== undefined && {
                'content-type': 'application/json',
                'content-length': Buffer.byteLength(body),
              }),
              accept: isStream ? 'text/event-stream' : 'application/json',
            },
          },
          (answer) => resolve(answerOf(answer)),
        )
        if (!isStream)
          asked.setTimeout(SILENCE_MS, () => asked.destroy(new Error(`silent for ${SILENCE_MS} ms`)))
        asked.on('error', (error) => reject(signal.aborted ? signal.reason : away(base.host, path, error)))
        asked.end(body)
      })
    },
    close: () => agent.destroy(),
  }
}

function answerOf(answer: IncomingMessage): ForwardedAnswer {
  const { statusCode = 502, headers } = answer
  const type = headers['content-type']
  const passed: Record<string, string> = {}
  for (const name of ['content-type', 'link', 'x-next-cursor']) {
    const value = headers[name]
    if (typeof value === 'string') passed[name] = value
  }
  return {
    status: statusCode,
    headers: passed,
    isJson: type?.startsWith('application/json') ?? false,
    body: answer,
    async json() {
      const chunks: Buffer[] = []
      for await (const chunk of answer) chunks.push(chunk as Buffer)
      const text = Buffer.concat(chunks).toString()
      return text === '' ? undefined : (JSON.parse(text) as unknown)
    },
  }
}

function away(host: string, path: string, cause: Error): TierlineError {
  const question = path.indexOf('?')
  const where = question === -1 ? path : path.slice(0, question)
  return new TierlineError(
    'opencode_unavailable',
    `Cannot ask OpenCode "${host}${where}": ${cause.message}`,
    { cause },
  )
}
