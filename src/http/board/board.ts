/** Bull Board at `/board`. */
import { createBullBoard } from '@bull-board/api'
import type { HTTPStatus, TranslatableMessage } from '@bull-board/api/typings/app'
import { FastifyAdapter } from '@bull-board/fastify'
import type { FastifyInstance } from 'fastify'
import { isTierlineError } from '../../errors.ts'
import { problemOf } from '../../tasks/problem.ts'
import { CONTENT_SECURITY_POLICY } from '../content-security-policy.ts'
import type { HttpLogger } from '../logger.ts'
import type { HttpPorts } from '../ports.ts'
import { TaskQueueAdapter } from './task-queue-adapter.ts'

const PREFIX = '/board'
const OBLITERATE = /^\/board\/api\/queues\/([^/?]+)\/obliterate(?:\?|$)/

/** The policy stops it as well, but then the browser's console complains on every page. */
const OUTSIDE_FONTS = /<link href="https:\/\/fonts[^>]*>/

/** A plugin of its own scope. Queues that appear later (a tier of a reloaded table) are added on the way. */
export async function registerBoard(
  app: FastifyInstance,
  { ports, logger }: { ports: HttpPorts; logger: HttpLogger },
): Promise<void> {
  const serverAdapter = new FastifyAdapter()
  serverAdapter.setBasePath(PREFIX)
  const adapters = () => ports.board.queues().map((queue) => new TaskQueueAdapter(queue, ports.tasks))
  const { replaceQueues } = createBullBoard({
    queues: adapters(),
    serverAdapter,
    options: {
      uiConfig: {
        boardTitle: 'tierline',
        hideDocsLink: true,
        // Redis lists the connections of all namespaces, and every poll would ask for each queue.
        showWorkers: false,
        sortQueues: false,
        miscLinks: [{ text: 'API', url: '/docs/' }],
      },
    },
  })
  serverAdapter.setErrorHandler((error) => {
    if (!isTierlineError(error)) logger.error({ err: error }, 'Board request failed')
    return answerTo(error)
  })

  let known = namesOf(ports)
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('content-security-policy', CONTENT_SECURITY_POLICY)
    const names = namesOf(ports)
    if (names !== known) {
      known = names
      replaceQueues(adapters())
    }
    done()
  })
  // The board itself would say that the queue must be paused first, and somebody would do that in vain.
  app.addHook('preHandler', async ({ method, url }, reply) => {
    const [, name] = OBLITERATE.exec(url) ?? []
    const queue = method === 'PUT' ? adapters().find((adapter) => adapter.getName() === name) : undefined
    if (queue === undefined) return
    const { status, body } = answerTo(queue.refuseToObliterate())
    return reply.code(status).send(body)
  })
  app.addHook('onSend', async (_request, _reply, payload) =>
    typeof payload === 'string' && payload.startsWith('<!DOCTYPE')
      ? payload.replace(OUTSIDE_FONTS, '')
      : payload,
  )
  await app.register(serverAdapter.registerPlugin(), { prefix: PREFIX })
}

function answerTo(error: unknown): {
  status: HTTPStatus
  body: { error: TranslatableMessage; message: string }
} {
  const { status, detail, errors } = problemOf(error)
  return {
    status: status as HTTPStatus,
    body: { error: headline(status, errors?.[0]?.field), message: detail },
  }
}

/** The board translates its headlines, so they are chosen from its own; our sentence stands below. */
function headline(status: number, field: string | undefined): TranslatableMessage {
  if (status === 503) return { key: 'ERRORS.REDIS_UNAVAILABLE' }
  if (status >= 500) return { key: 'ERRORS.INTERNAL_SERVER_ERROR' }
  if (status === 404) return { key: 'ERRORS.JOB_NOT_FOUND' }
  if (field === undefined) return { key: 'ERRORS.FORBIDDEN' }
  return { key: 'ERRORS.INVALID_REQUEST_BODY', options: { field } }
}

function namesOf({ board }: HttpPorts): string {
  return board
    .queues()
    .map(({ name }) => name)
    .join(',')
}
