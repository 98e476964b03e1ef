import type { HttpServerOptions } from '../../src/http/server.ts'

/** A server on a free port of loopback that asks for no key and says nothing. */
export const SERVER_DEFAULTS = {
  host: '127.0.0.1',
  port: 0,
  apiKeys: [],
  allowedHosts: [],
  corsOrigins: [],
  maxBodyBytes: 64 * 1024,
  board: false,
  version: '1.2.3',
  logger: { warn() {}, error() {} },
} satisfies Omit<HttpServerOptions, 'ports'>
