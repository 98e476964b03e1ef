/** `test` with the session API in front of the whole core: real Redis and BullMQ, sessions in memory. */

import { createHttpServer, type HttpServerOptions } from '../../../src/http/server.ts'
import type { Orchestrator, OrchestratorOptions } from '../../../src/orchestrator.ts'
import type { ModelID } from '../../../src/tasks/model-id.ts'
import { test as base } from '../../setup/core-test.ts'
import { SERVER_DEFAULTS } from '../server-defaults.ts'

export interface SessionApi {
  url: string
  orchestrator: Orchestrator
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>
  stop(): Promise<void>
  /** A new session's id. */
  open(body?: object, directory?: string): Promise<string>
  /** The models that were asked, in order. */
  asked(): ModelID[]
}

export interface Reply {
  status: number
  headers: Headers
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads of an answer it says itself
  json: any
}

export interface SessionFixture {
  start(options?: {
    http?: Partial<HttpServerOptions>
    core?: Partial<OrchestratorOptions>
    working?: boolean
  }): Promise<SessionApi>
}

export const test = base.extend<{ api: SessionFixture }>({
  api: async ({ core }, use) => {
    const servers: { close(): Promise<void> }[] = []
    const start: SessionFixture['start'] = async ({ http = {}, core: options = {}, working = true } = {}) => {
      const orchestrator = await (working ? core.startWorking(options) : core.start(options))
      const server = createHttpServer({
        ...SERVER_DEFAULTS,
        ports: orchestrator,
        ...http,
      })
      const { url } = await server.listen()
      servers.push(server)
      const call: SessionApi['call'] = async (method, path, body, headers = {}) => {
        const response = await fetch(url + path, {
          method,
          headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
          ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        })
        const text = await response.text()
        const isJson = /json/.test(response.headers.get('content-type') ?? '') && text.trim() !== ''
        return {
          status: response.status,
          headers: response.headers,
          text,
          json: isJson ? JSON.parse(text) : undefined,
        }
      }
      return {
        url,
        orchestrator,
        call,
        stop: () => server.close(),
        open: async (body = {}, directory) => {
          const query = directory === undefined ? '' : `?${new URLSearchParams({ directory })}`
          return (await call('POST', `/session${query}`, body)).json.id as string
        },
        asked: () => core.backend.turns.map(({ model }) => model),
      }
    }
    await use({ start })
    for (const server of servers) await server.close()
  },
})

export const say = (text: string, more: object = {}) => ({ parts: [{ type: 'text', text }], ...more })
