/** The same task on several models at once. */
import { CompareInput } from '../../tasks/compare-input.ts'
import { Task } from '../../tasks/task.ts'
import type { HttpApp } from '../app.ts'
import type { TaskPort } from '../ports.ts'
import { NO_VALIDATION } from '../validation.ts'
import { SUBMIT_ERRORS } from './submit-errors.ts'

export function registerCompareRoute(app: HttpApp, tasks: TaskPort): void {
  app.route({
    method: 'POST',
    url: '/v1/compare',
    config: { errors: [...SUBMIT_ERRORS, 'unknown_verifier'] },
    schema: {
      operationId: 'compare',
      tags: ['Tasks'],
      summary: 'Run a task on several models at once',
      description:
        'Answers with a task that waits for one child per model; its `result.comparison` is the table. A child that fails does not fail the others.',
      body: CompareInput,
      response: { 202: Task },
    },
    ...NO_VALIDATION,
    handler: async ({ body, caller }, reply) => {
      const task = await tasks.compare(body, caller)
      return reply.code(202).header('location', task.links.self).send(task)
    },
  })
}
