import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { TierlineError } from '../errors.ts'
import { parseWith } from '../tasks/parse-input.ts'
import type { HttpApp } from './app.ts'

/** What people call what Fastify calls so. */
const PARTS: Readonly<Record<string, string>> = {
  querystring: 'query',
  body: 'body',
  params: 'path',
  headers: 'headers',
}

/**
 * Validates with the zod schemas of the routes, and speaks of mistakes as the library does.
 *
 * Answers are not parsed again: their types are checked by the compiler and their shape by tests.
 */
export function validateWithZod(app: FastifyInstance): void {
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart }) => (data) => {
    try {
      return {
        value: parseWith(schema, data ?? undefined, `Cannot read the ${PARTS[httpPart ?? ''] ?? 'request'}`),
      }
    } catch (error) {
      return { error: error as Error }
    }
  })
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
}

/**
 * For routes whose schema is there for OpenAPI only: who takes the input validates it, once. A value given back would
 * make Fastify copy all headers whenever one is read.
 */
export const NO_VALIDATION = { validatorCompiler: () => () => true }

/** A query or body that the route has no use for is a mistake of the caller, never ignored. */
export function refuseWhatNobodyReads(scope: HttpApp): void {
  scope.addHook('preValidation', (request, _reply, done) => {
    const { schema } = request.routeOptions
    const unread = [
      ...(schema?.querystring === undefined ? keysOf(request.query) : []),
      ...(schema?.body === undefined ? keysOf(request.body) : []),
    ]
    if (unread.length === 0) return done()
    done(
      new TierlineError('unknown_field', `Cannot read the request: "${unread[0]}" is not known here`, {
        errors: unread.map((field) => ({ field, message: 'is not a known field' })),
      }),
    )
  })
}

function keysOf(value: unknown): string[] {
  if (value === undefined || value === null) return []
  return typeof value === 'object' && !Array.isArray(value) ? Object.keys(value) : ['body']
}

/** A number in a query or a header. */
export const WholeNumber = z.coerce.number().int().min(0)
