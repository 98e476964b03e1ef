/** The real HTTP server over ports in memory: a test decides what becomes of the tasks. */
import { createHttpServer, type HttpServerOptions } from '../../src/http/server.ts'
import { createMemoryPorts, type MemoryPorts } from '../doubles/memory-ports.ts'
import { SERVER_DEFAULTS } from '../http/server-defaults.ts'

export interface MemoryServer {
  url: string
  ports: MemoryPorts
  close(): Promise<void>
}

export async function startMemoryServer(options: Partial<HttpServerOptions> = {}): Promise<MemoryServer> {
  const ports = createMemoryPorts()
  const server = createHttpServer({
    ...SERVER_DEFAULTS,
    maxBodyBytes: 2 * 1024 * 1024,
    ports,
    ...options,
  })
  const { url } = await server.listen()
  return { url, ports, close: server.close }
}

/** The fields of a text event that a test does not care about. */
export function textDelta(text: string, more: { partID?: string; offset?: number } = {}) {
  return { type: 'text-delta', messageID: 'msg_1', partID: 'prt_1', offset: 0, text, ...more }
}
