/** Who may ask: checked before anything else of a request is read. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type ApiKey, createKeyRing } from './api-keys.ts'
import { createHostCheck } from './host-check.ts'
import type { HttpLogger } from './logger.ts'
import { createOriginCheck } from './origin-check.ts'
import { sendProblem } from './problem.ts'

export interface AccessOptions {
  host: string
  /** Empty: whoever reaches the port may do everything, so `host` must be a loopback address. */
  apiKeys: readonly ApiKey[]
  /** Names that `Host` may hold beside `localhost` and `host`, without port: `tierline.internal`. */
  allowedHosts: readonly string[]
  /** Origins of web pages that may call: `https://ci.example.com`, or `*`. Empty: none. */
  corsOrigins: readonly string[]
}

/** Checks host, origin and key of every request, known route or not. Sets `request.caller`. */
export function checkAccess(app: FastifyInstance, options: AccessOptions, logger: HttpLogger): void {
  const checkHost = createHostCheck(options)
  const checkOrigin = createOriginCheck(options.corsOrigins)
  const identify = createKeyRing(options.apiKeys)

  app.decorateRequest('caller', null)
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff')
    try {
      checkHost(request.headers.host)
      checkOrigin(request)
      if (!isOpen(request, options)) request.caller = identify(request.headers.authorization)
    } catch (error) {
      // Not thrown: the board has an error handler of its own, and these answers must not differ there.
      sendProblem(error, request, reply, logger)
      return
    }
    done()
  })
}

/** A CORS preflight never carries a key; the CORS plugin answers it and no route does. */
function isOpen(request: FastifyRequest, { corsOrigins }: AccessOptions): boolean {
  if (request.routeOptions.config?.open === true) return true
  const preflight = request.method === 'OPTIONS' && 'access-control-request-method' in request.headers
  return preflight && corsOrigins.length > 0
}
