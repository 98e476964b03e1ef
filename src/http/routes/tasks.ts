/** Submit, look up, list and remove. */
import type { IncomingHttpHeaders } from 'node:http'
import { z } from 'zod'
import { TierlineError } from '../../errors.ts'
import { TaskInput } from '../../tasks/input.ts'
import {
  BatchInput,
  BatchResult,
  ChildrenQuery,
  ListQuery,
  MAX_BATCH,
  TaskPage,
} from '../../tasks/list-query.ts'
import { parseWith, refuseProto } from '../../tasks/parse-input.ts'
import { Task } from '../../tasks/task.ts'
import type { HttpApp } from '../app.ts'
import type { TaskPort } from '../ports.ts'
import { NO_VALIDATION } from '../validation.ts'
import { registerSubmitRoute } from './submit-route.ts'
import { TaskParams, taskIDOf } from './task-id.ts'

const BatchBody = z.strictObject({ tasks: z.array(TaskInput).min(1).max(MAX_BATCH) })

export function registerTaskRoutes(app: HttpApp, tasks: TaskPort): void {
  registerSubmitRoute(app, {
    url: '/v1/tasks',
    operationId: 'submitTask',
    summary: 'Submit a task',
    description:
      'The task is in Redis before the answer leaves. `Location` is its URL. A repeat with the same `Idempotency-Key` gives the first answer again, with 200.',
    body: TaskInput,
    errors: ['session_not_found'],
    accept: (input, caller) => tasks.accept(input, caller),
  })

  app.route({
    method: 'POST',
    url: '/v1/tasks/batch',
    config: { errors: ['invalid_input', 'unknown_field'] },
    schema: {
      operationId: 'submitTasks',
      tags: ['Tasks'],
      summary: 'Submit many tasks',
      description: 'One answer per task, in order. A task that is refused keeps no other out.',
      body: BatchBody,
      response: { 200: BatchResult },
    },
    ...NO_VALIDATION,
    handler: async ({ body, headers, caller }) => {
      refuseKeyOfBatch(headers)
      const batch = parseWith(BatchInput, body, 'Cannot accept the batch')
      return { data: await tasks.submitMany(batch.tasks, caller) }
    },
  })

  app.route({
    method: 'GET',
    url: '/v1/tasks',
    config: { errors: ['invalid_input', 'unknown_field'] },
    schema: {
      operationId: 'listTasks',
      tags: ['Tasks'],
      summary: 'List tasks, newest first',
      description:
        'All filters must hold. `metadata.KEY=VALUE` filters by metadata, as often as needed. A page may be short or empty and still have a `nextCursor`.',
      querystring: ListQuery.omit({ metadata: true }),
      response: { 200: TaskPage },
    },
    ...NO_VALIDATION,
    handler: ({ query }) => tasks.list(parseListQuery(query)),
  })

  app.route({
    method: 'GET',
    url: '/v1/tasks/:id',
    config: { errors: ['task_not_found'] },
    schema: {
      operationId: 'getTask',
      tags: ['Tasks'],
      summary: 'Read a task',
      params: TaskParams,
      response: { 200: Task },
    },
    handler: ({ params }) => tasks.get(taskIDOf(params)),
  })

  app.route({
    method: 'GET',
    url: '/v1/tasks/:id/children',
    config: { errors: ['task_not_found', 'invalid_input', 'unknown_field'] },
    schema: {
      operationId: 'listChildren',
      tags: ['Tasks'],
      summary: 'List the children of a task, newest first',
      description: 'The tasks that were submitted with this one as their `parentTaskID`.',
      params: TaskParams,
      querystring: ChildrenQuery,
      response: { 200: TaskPage },
    },
    handler: ({ params, query }) => tasks.children(taskIDOf(params), query),
  })

  app.route({
    method: 'DELETE',
    url: '/v1/tasks/:id',
    config: { errors: ['task_not_found', 'not_finished'] },
    schema: {
      operationId: 'removeTask',
      tags: ['Tasks'],
      summary: 'Remove a finished task',
      description: 'Removes its record, its log and its job.',
      params: TaskParams,
      response: { 204: z.null().meta({ description: 'Removed' }) },
    },
    handler: async ({ params }, reply) => {
      await tasks.remove(taskIDOf(params))
      return reply.code(204).send(null)
    },
  })
}

/** `metadata.team=core` → `metadata: { team: 'core' }`. */
function parseListQuery(query: object): ListQuery {
  const flat: [string, unknown][] = []
  const metadata: [string, unknown][] = []
  for (const [key, value] of Object.entries(query)) {
    if (key.startsWith('metadata.')) metadata.push([key.slice('metadata.'.length), value])
    // A bare `metadata` is not the way to say it.
    else flat.push([key === 'metadata' ? 'metadata.' : key, value])
  }
  // Made of entries, so that `__proto__` is a key like others: a filter that gets lost would match every task.
  if (metadata.length > 0) flat.push(['metadata', Object.fromEntries(metadata)])
  const input = Object.fromEntries(flat)
  refuseProto(input, 'Cannot list tasks')
  return parseWith(ListQuery, input, 'Cannot list tasks')
}

/** The header is another place for a field of the body. */
function refuseKeyOfBatch(headers: IncomingHttpHeaders): void {
  if (headers['idempotency-key'] === undefined) return
  throw new TierlineError(
    'unknown_field',
    'Cannot accept the batch: it has no "Idempotency-Key", each of its tasks may have an "idempotencyKey"',
    { errors: [{ field: 'Idempotency-Key', message: 'is of single tasks; use "idempotencyKey" in each' }] },
  )
}
