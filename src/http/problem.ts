/** Every error leaves the server as `application/problem+json`, and only here. */
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { TierlineError } from '../errors.ts'
import { type Problem, problemOf } from '../tasks/problem.ts'
import type { HttpLogger } from './logger.ts'
import { isOver } from './waiting-requests.ts'

export const PROBLEM_JSON = 'application/problem+json'

/** What `Retry-After` says when the error does not know better. */
const RETRY_AFTER_S = 1

export function sendProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  logger: HttpLogger,
  /** What the body has beside, for clients of another API. */
  beside?: (status: number, message: string) => object,
): FastifyReply {
  const known = translated(error, request)
  const instance = pathOf(request)
  const problem = problemOf(known, { instance, requestID: request.id })
  logFailure(known, request, logger, problem)
  if (problem.status === 401)
    reply.header('www-authenticate', 'Basic realm="tierline", charset="UTF-8", Bearer realm="tierline"')
  if (problem.status === 429 || problem.status === 503)
    reply.header('retry-after', retryAfterSeconds(known as TierlineError))
  return reply
    .code(problem.status)
    .type(PROBLEM_JSON)
    .send(JSON.stringify({ ...problem, ...beside?.(problem.status, problem.detail) }))
}

/** Logs an error that is not the client's, with what it is told of it. */
export function logFailure(
  error: unknown,
  request: FastifyRequest,
  logger: HttpLogger,
  { status, code, detail }: Problem = problemOf(error),
): void {
  if (status < 500 || isOver(error)) return
  const fields = { requestID: request.id, method: request.method, path: pathOf(request), code }
  // A service that is away is no mistake of ours: where in the code that was noticed would help nobody.
  if (status === 503) logger.warn(fields, detail)
  else if (error instanceof TierlineError) logger.warn({ ...fields, err: error }, detail)
  else logger.error({ ...fields, err: error }, 'Request failed')
}

/** The path as it was asked for, without the query. */
export function pathOf({ url }: FastifyRequest): string {
  const question = url.indexOf('?')
  return question === -1 ? url : url.slice(0, question)
}

export const answerAllErrors = {
  handler: (logger: HttpLogger) => (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
    sendProblem(error, request, reply, logger),

  notFound: (logger: HttpLogger) => (request: FastifyRequest, reply: FastifyReply) =>
    sendProblem(notFound(request), request, reply, logger),

  /** Options of Fastify for what goes wrong before a request has a route, or is one. */
  early: {
    frameworkErrors(error: Error, request: FastifyRequest, reply: FastifyReply) {
      reply.header('x-request-id', request.id)
      sendProblem(error, request, reply, SILENT)
    },
    clientErrorHandler(error: NodeJS.ErrnoException, socket: Socket) {
      if (error.code === 'ECONNRESET' || socket.destroyed) return
      const body = JSON.stringify(
        problemOf(new TierlineError('malformed_request', `Cannot read the request: ${reasonOf(error)}`)),
      )
      if (socket.writable)
        socket.write(
          `HTTP/1.1 400 Bad Request\r\nContent-Type: ${PROBLEM_JSON}\r\nConnection: close\r\n` +
            `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
        )
      socket.destroy()
    },
  },
}

const SILENT: HttpLogger = { warn() {}, error() {} }

function notFound(request: FastifyRequest): TierlineError {
  return new TierlineError(
    'not_found',
    `Cannot find "${request.method} ${pathOf(request)}": see /docs for what there is`,
  )
}

function retryAfterSeconds({ retryAfterMs }: TierlineError): number {
  return retryAfterMs === undefined ? RETRY_AFTER_S : Math.max(1, Math.ceil(retryAfterMs / 1000))
}

/** Fastify's own errors as ours; anything else stays what it is, and becomes `internal_error` outside. */
function translated(error: unknown, request: FastifyRequest): unknown {
  if (error instanceof TierlineError) return error
  switch ((error as { code?: string } | undefined)?.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return notJson(request)
    case 'FST_ERR_CTP_BODY_TOO_LARGE': {
      const most = request.routeOptions.bodyLimit
      return new TierlineError('too_large', `Cannot read the body: it has more than ${most} bytes`, {
        errors: [{ field: 'body', message: `must have at most ${most} bytes` }],
      })
    }
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new TierlineError('malformed_request', 'Cannot read the request: a part of its path is too long')
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_BAD_URL':
    // The client left before its body was complete.
    case 'ECONNRESET':
      return new TierlineError('malformed_request', `Cannot read the request: ${(error as Error).message}`)
    default:
      return error
  }
}

function notJson({ headers }: FastifyRequest): TierlineError {
  const given = headers['content-type']
  return new TierlineError(
    'unsupported_media_type',
    `Cannot read the body: its content type is "${given ?? ''}", must be "application/json"`,
    {
      errors: [
        {
          field: 'Content-Type',
          message: 'must be application/json',
          given: given ?? '',
          allowed: ['application/json'],
        },
      ],
    },
  )
}

function reasonOf({ code }: NodeJS.ErrnoException): string {
  if (code === 'HPE_HEADER_OVERFLOW') return 'its headers are too large'
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'it did not arrive in time'
  return 'it is not HTTP'
}
