/** The HTTP server: REST, event streams, API docs and the board, over the ports of `ports.ts`. */
import type { AddressInfo } from 'node:net'
import cors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import { TierlineError } from '../errors.ts'
import { type AccessOptions, checkAccess } from './access.ts'
import { registerApiDocs } from './api-docs.ts'
import type { HttpApp } from './app.ts'
import { registerBoard } from './board/board.ts'
import { parseJsonBodies } from './json-body.ts'
import type { HttpLogger } from './logger.ts'
import { refuseOtherMethods } from './method-not-allowed.ts'
import { registerOpenApi } from './openapi.ts'
import type { HttpPorts } from './ports.ts'
import { answerAllErrors } from './problem.ts'
import { requestID } from './request-id.ts'
import { registerAskRoutes } from './routes/asks.ts'
import { registerBudgetRoute } from './routes/budgets.ts'
import { registerCompareRoute } from './routes/compare.ts'
import { registerCostsRoute } from './routes/costs.ts'
import { registerHealthRoutes } from './routes/health.ts'
import { registerRoutingRoutes } from './routes/routing.ts'
import { registerTaskActionRoutes } from './routes/task-actions.ts'
import { registerTaskEventsRoute } from './routes/task-events.ts'
import { registerTaskResultRoute } from './routes/task-result.ts'
import { registerTaskRoutes } from './routes/tasks.ts'
import { registerTierRoutes } from './routes/tiers.ts'
import type { Patience } from './session-api/long-answer.ts'
import { registerSessionApi } from './session-api/session-api.ts'
import { DEFAULT_SSE, type SseOptions } from './sse.ts'
import { refuseWhatNobodyReads, validateWithZod } from './validation.ts'
import { createWaitingRequests } from './waiting-requests.ts'

/** How long a request may take to end once the server closes. */
const CLOSE_TIMEOUT_MS = 5000

export interface HttpServerOptions extends AccessOptions {
  /** `127.0.0.1`; `0.0.0.0` or `::` for every interface. */
  host: string
  /** 0: any free one. */
  port: number
  maxBodyBytes: number
  /** False: nothing at `/board`. */
  board: boolean
  version: string
  logger: HttpLogger
  ports: HttpPorts
  sse?: SseOptions
  /** When a message that takes long is answered with blanks. */
  sessionPatience?: Patience
}

export interface HttpServer {
  /** @throws {TierlineError} `service_failed` when the address cannot be had. */
  listen(): Promise<{ url: string }>
  /** Event streams and long polls end at once, other requests are answered. May be called twice. */
  close(): Promise<void>
  readonly app: FastifyInstance
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { host, port, ports, logger, version, sse = DEFAULT_SSE } = options
  const waiting = createWaitingRequests()
  const app = Fastify({
    bodyLimit: options.maxBodyBytes,
    genReqId: requestID,
    // Requests on open connections are answered while the server closes: the ports close after it.
    return503OnClosing: false,
    ...answerAllErrors.early,
  })
  app.setErrorHandler(answerAllErrors.handler(logger))
  app.setNotFoundHandler(answerAllErrors.notFound(logger))
  app.addHook('preClose', async () => waiting.abortAll())
  validateWithZod(app)
  parseJsonBodies(app)
  checkAccess(app, options, logger)
  if (options.corsOrigins.length > 0) app.register(cors, corsOptions(options.corsOrigins))
  const refuseRest = refuseOtherMethods(app)
  registerOpenApi(app, { version, locked: options.apiKeys.length > 0 })

  // In a plugin, so that the routes come after OpenAPI listens for them.
  app.register(async (scope: HttpApp) => {
    scope.addHook('onRequest', (_request, reply, done) => {
      reply.header('cache-control', 'no-store')
      done()
    })
    refuseWhatNobodyReads(scope)
    registerTaskRoutes(scope, ports.tasks)
    registerTaskEventsRoute(scope, { tasks: ports.tasks, waiting, logger, sse })
    registerTaskResultRoute(scope, { tasks: ports.tasks, waiting })
    registerTaskActionRoutes(scope, ports.tasks)
    registerAskRoutes(scope, ports.tasks)
    registerCompareRoute(scope, ports.tasks)
    registerRoutingRoutes(scope, ports.routing)
    registerTierRoutes(scope, ports.routing)
    registerCostsRoute(scope, ports.money)
    registerBudgetRoute(scope, ports.money)
    registerHealthRoutes(scope, { health: ports.health, version })
  })
  app.register(async (scope: HttpApp) => {
    scope.addHook('onRequest', (_request, reply, done) => {
      reply.header('cache-control', 'no-store')
      done()
    })
    const { sessionPatience: patience } = options
    await registerSessionApi(scope, {
      sessions: ports.sessions,
      waiting,
      logger,
      ...(patience && { patience }),
    })
  })
  app.register(registerApiDocs)
  if (options.board) app.register(registerBoard, { ports, logger })
  app.register(refuseRest)
  app.get('/', { schema: { hide: true } }, (_request, reply) =>
    reply.redirect(options.board ? '/board/' : '/docs/'),
  )

  return {
    app,
    async listen() {
      try {
        await app.listen({ host, port })
      } catch (error) {
        throw cannotListen(host, port, error)
      }
      return { url: urlOf(host, (app.server.address() as AddressInfo).port) }
    },
    close: () => closeWithin(app, CLOSE_TIMEOUT_MS),
  }
}

async function closeWithin(app: FastifyInstance, timeoutMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), timeoutMs)
  try {
    await app.close()
  } finally {
    clearTimeout(timer)
  }
}

function corsOptions(origins: readonly string[]) {
  return {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'Last-Event-ID', 'X-Request-ID'],
    exposedHeaders: ['Location', 'Retry-After', 'X-Request-ID'],
    maxAge: 600,
  }
}

function cannotListen(host: string, port: number, cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException).code
  const why = {
    EADDRINUSE: 'another process listens there; stop it or choose another TIERLINE_PORT',
    EACCES: 'this user may not use that port; choose another TIERLINE_PORT',
    EADDRNOTAVAIL: 'this machine has no such address; choose another TIERLINE_HOST',
    ENOTFOUND: 'no such host; choose another TIERLINE_HOST',
  }[code ?? '']
  if (why === undefined) return cause
  return new TierlineError('service_failed', `Cannot listen on "${host}:${port}": ${why}`, { cause })
}

/** The address to show and to open: a server on every interface is reached over loopback. */
function urlOf(host: string, port: number): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (host === '::') return `http://[::1]:${port}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
