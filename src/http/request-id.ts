import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

// It stands in logs and in answers, so nothing else gets in.
const SAFE = /^[\w.:-]{1,128}$/

/** The caller's own `X-Request-ID` when it is a plain word, else a new one. */
export function requestID(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && SAFE.test(given) ? given : `req_${randomUUID()}`
}
