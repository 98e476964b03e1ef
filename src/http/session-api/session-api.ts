/**
 * OpenCode's own API at the root of the server, so that any of its clients may point its base URL here: sessions
 * with a model of their own, every message a task, and the rest passed on as far as the allow list goes.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { TierlineError } from '../../errors.ts'
import type { Task } from '../../tasks/task.ts'
import type { HttpApp } from '../app.ts'
import type { HttpLogger } from '../logger.ts'
import type { PassedAnswer, PassedRequest, SessionPort } from '../ports.ts'
import { logFailure, pathOf, sendProblem } from '../problem.ts'
import type { WaitingRequests } from '../waiting-requests.ts'
import { ALLOWED, type AllowedRoute, OPENCODE_SEGMENTS } from './allow-list.ts'
import { ABORT_SESSION, CREATE_SESSION, SEND_MESSAGE, SEND_MESSAGE_ASYNC } from './describe-routes.ts'
import { streamEvents } from './event-stream.ts'
import { DEFAULT_PATIENCE, type Patience, sendWhenReady } from './long-answer.ts'
import { maskedConfig } from './mask-config.ts'
import { failedAnswer, openCodeErrorOf } from './opencode-error.ts'
import { checkFileIn, placeOf } from './request-place.ts'

export interface SessionApiOptions {
  sessions: SessionPort
  waiting: WaitingRequests
  logger: HttpLogger
  patience?: Patience
}

type Params = Record<string, string>
type Request = FastifyRequest<{ Params: Params }>

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const HIDDEN = { schema: { hide: true } } as const

export async function registerSessionApi(
  app: HttpApp,
  { sessions, waiting, logger, patience = DEFAULT_PATIENCE }: SessionApiOptions,
): Promise<void> {
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, logger, openCodeErrorOf))

  app.post('/session', CREATE_SESSION, async (request: Request, reply) => {
    const { directory } = await placeOf(request, sessions)
    const signal = waiting.signalFor(reply.raw)
    return send(reply, await sessions.create(withoutDirectory(request.body), directory, signal))
  })

  app.post('/session/:sessionID/message', SEND_MESSAGE, async (request: Request, reply) => {
    const { sessionID, accepted } = await accept(request, reply, sessions.ask)
    const signal = waiting.signalFor(reply.raw)
    await sendWhenReady(reply, accepted.answer(signal), patience, (error) => {
      logFailure(error, request, logger)
      return failedAnswer(sessionID, error)
    })
    return reply
  })

  app.post('/session/:sessionID/prompt_async', SEND_MESSAGE_ASYNC, async (request: Request, reply) => {
    await accept(request, reply, async (...message) => ({ task: await sessions.send(...message) }))
    return reply.code(204).send()
  })

  app.post('/session/:sessionID/abort', ABORT_SESSION, (request: Request, reply) =>
    toSession(request, reply, (id, passed, signal) => sessions.abort(id, passed, signal)),
  )

  app.delete('/session/:sessionID', HIDDEN, (request: Request, reply) =>
    toSession(request, reply, (id, passed, signal) => sessions.remove(id, passed, signal)),
  )

  app.patch('/session/:sessionID', HIDDEN, (request: Request, reply) =>
    toSession(request, reply, (id, passed, signal) =>
      sessions.patch(id, request.body, { ...passed, shape: 'session' }, signal),
    ),
  )

  app.get('/event', { ...HIDDEN, exposeHeadRoute: false }, async (request: Request, reply) => {
    const { directory } = await placeOf(request, sessions)
    return stream(request, reply, (signal) => sessions.events(directory, signal))
  })

  app.get('/global/event', { ...HIDDEN, exposeHeadRoute: false }, (request: Request, reply) =>
    stream(request, reply, (signal) => sessions.allEvents(signal)),
  )

  for (const route of ALLOWED)
    app.route({
      ...HIDDEN,
      method: route.method,
      url: route.path,
      handler: async (request, reply) => passOn(route, request as Request, reply),
    })

  for (const segment of OPENCODE_SEGMENTS)
    for (const url of [`/${segment}`, `/${segment}/*`])
      app.route({
        ...HIDDEN,
        method: METHODS.filter((method) => !app.hasRoute({ method, url })),
        url,
        exposeHeadRoute: false,
        // Before the body is read: nothing is done with it.
        onRequest: async (request) => refuse(request),
        handler: async () => {},
      })

  function stream(
    request: Request,
    reply: FastifyReply,
    events: (signal: AbortSignal) => AsyncIterable<object>,
  ): Promise<void> {
    const signal = waiting.signalFor(reply.raw)
    return streamEvents(reply, events(signal), signal, (error) =>
      logger.warn({ requestID: request.id, err: error }, 'Event stream of OpenCode was cut'),
    )
  }

  async function accept<Accepted extends { task: Task }>(
    request: Request,
    reply: FastifyReply,
    send: (sessionID: string, body: unknown, caller: string | null) => Promise<Accepted>,
  ): Promise<{ sessionID: string; accepted: Accepted }> {
    await placeOf(request, sessions)
    const sessionID = sessionIDOf(request)
    const accepted = await send(sessionID, withoutDirectory(request.body), request.caller)
    const { id, links } = accepted.task
    reply.header('location', links.self).header('x-tierline-task', id)
    return { sessionID, accepted }
  }

  async function passOn(route: AllowedRoute, request: Request, reply: FastifyReply): Promise<FastifyReply> {
    const passed = await passedRequest(request)
    const signal = waiting.signalFor(reply.raw)
    if (route.file !== undefined) {
      const directory = passed.directory ?? (await sessions.ownDirectory(signal))
      await checkFileIn(passed.query, route.file, directory, sessions)
    }
    const isPage = passed.query.has('before')
    const shape = route.shape === 'masked' || (route.shape === 'messages' && isPage) ? undefined : route.shape
    const ask = route.to === 'any' ? sessions.passToAny : sessions.pass
    const answer = await ask({ ...passed, shape, ofServer: route.ofServer }, signal)
    return route.shape === 'masked' ? sendMasked(reply, answer) : send(reply, answer)
  }

  async function toSession(
    request: Request,
    reply: FastifyReply,
    act: (sessionID: string, passed: PassedRequest, signal: AbortSignal) => Promise<PassedAnswer>,
  ): Promise<FastifyReply> {
    const passed = await passedRequest(request)
    return send(reply, await act(passed.sessionID!, passed, waiting.signalFor(reply.raw)))
  }

  async function passedRequest(request: Request): Promise<PassedRequest> {
    const { directory, query } = await placeOf(request, sessions)
    const sessionID = request.params.sessionID === undefined ? undefined : sessionIDOf(request)
    for (const [name, id] of Object.entries(request.params)) checkID(name, id)
    return {
      method: request.method,
      path: pathOf(request),
      query,
      body: request.body === undefined ? undefined : JSON.stringify(request.body),
      sessionID,
      directory,
    }
  }
}

function send(reply: FastifyReply, answer: PassedAnswer): FastifyReply {
  reply.code(answer.status).headers(answer.headers)
  return 'json' in answer ? reply.send(JSON.stringify(answer.json)) : reply.send(answer.raw)
}

async function sendMasked(reply: FastifyReply, answer: PassedAnswer): Promise<FastifyReply> {
  if ('json' in answer) return send(reply, { ...answer, json: maskedConfig(answer.json) })
  const chunks: Buffer[] = []
  for await (const chunk of answer.raw) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  return send(reply, { ...answer, json: maskedConfig(text === '' ? null : JSON.parse(text)) })
}

/** The directory in it was checked by `placeOf`. What is no object is refused by the schema, as it is. */
function withoutDirectory(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body
  const { directory: _, ...rest } = body as { directory?: unknown }
  return rest
}

/** @throws {TierlineError} `session_not_found` for what cannot be an id, which OpenCode answers with a 500. */
function sessionIDOf({ params }: Request): string {
  const id = params.sessionID!
  if (/^ses_[\w-]{1,128}$/.test(id)) return id
  throw new TierlineError('session_not_found', `Session not found: ${id}`)
}

/** What is passed on as it was written must not be read as another path by whatever stands before OpenCode. */
function checkID(name: string, id: string): void {
  if (/^[\w-]{1,128}$/.test(id)) return
  const message = 'must be an id'
  throw new TierlineError('invalid_input', `Cannot pass on "${name}": it ${message}`, {
    errors: [{ field: name, message, given: id }],
  })
}

function refuse(request: FastifyRequest): never {
  throw new TierlineError(
    'not_proxied',
    `Cannot pass on "${request.method} ${pathOf(request)}": it is not in the allow list, see docs/session-api.md`,
  )
}
