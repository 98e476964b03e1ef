/** Cancel and retry. */
import { Task } from '../../tasks/task.ts'
import type { HttpApp } from '../app.ts'
import type { TaskPort } from '../ports.ts'
import { TaskParams, taskIDOf } from './task-id.ts'

export function registerTaskActionRoutes(app: HttpApp, tasks: TaskPort): void {
  app.route({
    method: 'POST',
    url: '/v1/tasks/:id/cancel',
    config: { errors: ['task_not_found'] },
    schema: {
      operationId: 'cancelTask',
      tags: ['Tasks'],
      summary: 'Cancel a task',
      description:
        'A running task ends as soon as its worker has stopped the session. A finished one is given back as it is. All tasks below it are cancelled too.',
      params: TaskParams,
      response: { 200: Task },
    },
    handler: ({ params }) => tasks.cancel(taskIDOf(params)),
  })

  app.route({
    method: 'POST',
    url: '/v1/tasks/:id/retry',
    config: { errors: ['task_not_found', 'not_finished'] },
    schema: {
      operationId: 'retryTask',
      tags: ['Tasks'],
      summary: 'Run a finished task again',
      description: 'Under the same id; its log goes on with `task-retried`.',
      params: TaskParams,
      response: { 202: Task },
    },
    handler: async ({ params }, reply) => {
      const task = await tasks.retry(taskIDOf(params))
      return reply.code(202).header('location', task.links.self).send(task)
    },
  })
}
