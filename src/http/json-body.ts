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
    let body: unknown
    try {
      body = JSON.parse(text as string)
    } catch (error) {
      return done(
        new TierlineError('malformed_json', `Cannot read the body: ${(error as Error).message}`, {
          errors: [{ field: 'body', message: 'must be JSON' }],
        }),
      )
    }
    if (isDeeperThan(MOST_LEVELS, body)) return done(tooDeep())
    done(null, body)
  })
}

/** Far more than any body needs. `JSON.parse` takes any depth, `JSON.stringify` and schemas fail at some thousands. */
const MOST_LEVELS = 500

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(levels - 1, inner))
}

function tooDeep(): TierlineError {
  const message = `must be nested at most ${MOST_LEVELS} levels deep`
  return new TierlineError('invalid_input', `Cannot read the body: it ${message}`, {
    errors: [{ field: 'body', message }],
  })
}

function encoded(given: string): TierlineError {
  return new TierlineError(
    'unsupported_media_type',
    `Cannot read the body: its content encoding is "${given}", must be none`,
    { errors: [{ field: 'Content-Encoding', message: 'must not be there', given }] },
  )
}
