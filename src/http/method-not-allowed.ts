import type { FastifyInstance } from 'fastify'
import { TierlineError } from '../errors.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/**
 * Watches the API's routes being added; the plugin it gives adds an answer 405 with `Allow` to each path
 * for every other method. Fastify itself answers 404 there.
 */
export function refuseOtherMethods(app: FastifyInstance): (scope: FastifyInstance) => Promise<void> {
  const methodsOf = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    if (!/^\/(v1\/|healthz|readyz|openapi)/.test(url)) return
    const known = methodsOf.get(url) ?? new Set()
    for (const one of [method].flat()) known.add(one)
    methodsOf.set(url, known)
  })

  return async (scope) => {
    for (const [url, known] of [...methodsOf]) {
      const allow = METHODS.filter((method) => known.has(method)).join(', ')
      scope.route({
        url,
        method: METHODS.filter((method) => !known.has(method)),
        exposeHeadRoute: false,
        schema: { hide: true },
        // Before the body is read: its type or size does not matter any more.
        onRequest: async ({ method }, reply) => {
          reply.header('allow', allow)
          throw new TierlineError('method_not_allowed', `Cannot ${method} this path: it takes ${allow}`)
        },
        handler: async () => {},
      })
    }
  }
}
