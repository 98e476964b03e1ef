/** `GET /v1/tasks/:id/events`: the log of a task, then live. */
import type { OutgoingHttpHeaders } from 'node:http'
import { z } from 'zod'
import { isTerminal } from '../../tasks/state.ts'
import type { HttpApp } from '../app.ts'
import type { HttpLogger } from '../logger.ts'
import { TaskEventComponent } from '../openapi-schemas.ts'
import type { TaskPort } from '../ports.ts'
import { SSE_HEADERS, type SseOptions, writeEventStream } from '../sse.ts'
import { WholeNumber } from '../validation.ts'
import type { WaitingRequests } from '../waiting-requests.ts'
import { TaskParams, taskIDOf } from './task-id.ts'

export interface TaskEventsOptions {
  tasks: TaskPort
  waiting: WaitingRequests
  logger: HttpLogger
  sse: SseOptions
}

const Query = z.strictObject({
  after: WholeNumber.optional().meta({ description: 'Starts after this sequence number.' }),
})

const Headers = z.looseObject({
  'last-event-id': WholeNumber.optional().meta({
    description: 'The same, as an `EventSource` sends it when it comes back. Goes before `after`.',
  }),
})

export function registerTaskEventsRoute(
  app: HttpApp,
  { tasks, waiting, logger, sse }: TaskEventsOptions,
): void {
  app.route({
    method: 'GET',
    url: '/v1/tasks/:id/events',
    // A HEAD would stream into nothing.
    exposeHeadRoute: false,
    config: { errors: ['task_not_found', 'log_expired', 'invalid_input'] },
    schema: {
      operationId: 'streamTaskEvents',
      tags: ['Tasks'],
      summary: 'Stream the events of a task',
      description:
        'Server-sent events: `id` is the sequence number, `event` the type, `data` one TaskEvent as JSON. `reset` tells of a trimmed log, `end` comes last. Neither is an entry of the log.',
      params: TaskParams,
      querystring: Query,
      headers: Headers,
      response: {
        200: {
          description: 'A stream that ends with the task.',
          content: { 'text/event-stream': { schema: TaskEventComponent } },
        },
      },
    },
    handler: async (request, reply) => {
      const id = taskIDOf(request.params)
      const after = request.headers['last-event-id'] ?? request.query.after ?? 0
      const signal = waiting.signalFor(reply.raw)
      const task = await tasks.get(id)
      const items = tasks.events(id, { after, signal })[Symbol.asyncIterator]()
      // Only the log of a finished task can be gone, which must be said before the headers are out.
      const first = isTerminal(task.state) ? await items.next() : undefined

      reply.headers(SSE_HEADERS).hijack()
      reply.raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders)
      try {
        await writeEventStream(reply.raw, items, { ...(first && { first }), signal, sse })
      } catch (error) {
        logger.warn({ requestID: request.id, taskID: id, err: error }, 'Event stream was cut')
      }
    },
  })
}
