import type { z } from 'zod'
import type { ErrorCode } from '../../errors.ts'
import { Task } from '../../tasks/task.ts'
import type { HttpApp } from '../app.ts'
import type { TaskPort } from '../ports.ts'
import { NO_VALIDATION } from '../validation.ts'
import { SubmitHeaders, withKey } from './idempotency.ts'
import { SUBMIT_ERRORS } from './submit-errors.ts'

interface SubmitRoute {
  url: string
  operationId: string
  summary: string
  description: string
  body: z.ZodType
  /** Beside those of any task. */
  errors: readonly ErrorCode[]
  accept: TaskPort['accept']
}

/** One way to submit a task: with an idempotency key, and the task with its URL as the answer. */
export function registerSubmitRoute(
  app: HttpApp,
  { url, errors, body, accept, ...about }: SubmitRoute,
): void {
  app.route({
    method: 'POST',
    url,
    config: { errors: [...SUBMIT_ERRORS, 'idempotency_key_reused', ...errors] },
    schema: { ...about, tags: ['Tasks'], headers: SubmitHeaders, body, response: { 200: Task, 202: Task } },
    ...NO_VALIDATION,
    handler: async (request, reply) => {
      const { status, task } = await accept(withKey(request.body, request.headers), request.caller)
      return reply.code(status).header('location', task.links.self).send(task)
    },
  })
}
