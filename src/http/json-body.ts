import type { FastifyInstance } from 'fastify'
import { TierlineError } from '../errors.ts'

/**
 * Reads `application/json` and nothing else; no bytes are no body.
 *
 * Fastify's own parser drops where the mistake is. Poisoned keys are unknown fields to every schema here.
 */
export function parseJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, ({ headers }, text, done) => {
    if (text.length === 0) return done(null, undefined)
    const encoding = headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') return done(encoded(encoding))
    try {
      done(null, JSON.parse(text as string))
    } catch (error) {
      done(
        new TierlineError('malformed_json', `Cannot read the body: ${(error as Error).message}`, {
          errors: [{ field: 'body', message: 'must be JSON' }],
        }),
      )
    }
  })
}

function encoded(given: string): TierlineError {
  return new TierlineError(
    'unsupported_media_type',
    `Cannot read the body: its content encoding is "${given}", must be none`,
    { errors: [{ field: 'Content-Encoding', message: 'must not be there', given }] },
  )
}
