import type { FastifyRequest } from 'fastify'
import { TierlineError } from '../errors.ts'

const READS = ['GET', 'HEAD', 'OPTIONS']

/**
 * Gives a check against pages of other sites that act in a browser's name: a form or a bare POST needs no
 * preflight, and with Basic the browser adds the key by itself.
 *
 * @throws {TierlineError} `origin_not_allowed`, from the check.
 */
export function createOriginCheck(corsOrigins: readonly string[]): (request: FastifyRequest) => void {
  return ({ method, headers: { origin, host } }) => {
    if (origin === undefined || READS.includes(method)) return
    if (corsOrigins.includes('*') || corsOrigins.includes(origin)) return
    // Without the scheme: a proxy may speak TLS for this server.
    if (origin.replace(/^https?:\/\//, '') === host) return
    throw new TierlineError(
      'origin_not_allowed',
      `Cannot act for a page of "${origin}": only pages of this server and of "http.corsOrigins" may`,
      { errors: [{ field: 'Origin', message: 'is not allowed', given: origin, allowed: [...corsOrigins] }] },
    )
  }
}
