/** The same task on several models at once. */
import { CompareInput } from '../../tasks/compare-input.ts'
import { Task } from '../../tasks/task.ts'
import type { HttpApp } from '../app.ts'
import type { TaskPort } from '../ports.ts'
import { NO_VALIDATION } from '../validation.ts'
import { SubmitHeaders, withKey } from './idempotency.ts'
import { SUBMIT_ERRORS } from './submit-errors.ts'

export function registerCompareRoute(app: HttpApp, tasks: TaskPort): void {
  app.route({
    method: 'POST',
    url: '/v1/compare',
    config: { errors: [...SUBMIT_ERRORS, 'unknown_verifier', 'idempotency_key_reused'] },
    schema: {
      operationId: 'compare',
      tags: ['Tasks'],
      summary: 'Run a task on several models at once',
      description:
        'Answers with a task that waits for one child per model; its `result.comparison` is the table. A child that fails does not fail the others.',
      headers: SubmitHeaders,
      body: CompareInput,
      response: { 200: Task, 202: Task },
    },
    ...NO_VALIDATION,
    handler: async ({ body, headers, caller }, reply) => {
      const { status, task } = await tasks.acceptCompare(withKey(body, headers), caller)
      return reply.code(status).header('location', task.links.self).send(task)
    },
  })
}
