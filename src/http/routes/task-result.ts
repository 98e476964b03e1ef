/** `GET /v1/tasks/:id/result`: waits for the end of a task. */
import { z } from 'zod'
import { isTerminal } from '../../tasks/state.ts'
import { outcomeOf, Task, TaskOutcome } from '../../tasks/task.ts'
import type { HttpApp } from '../app.ts'
import type { TaskPort } from '../ports.ts'
import { WholeNumber } from '../validation.ts'
import type { WaitingRequests } from '../waiting-requests.ts'
import { TaskParams, taskIDOf } from './task-id.ts'

/** Proxies give up on a silent request after a minute or so. */
const MAX_WAIT_MS = 60_000

const Query = z.strictObject({
  waitMs: WholeNumber.max(MAX_WAIT_MS).default(0).meta({ description: 'How long to wait for the end.' }),
})

export function registerTaskResultRoute(
  app: HttpApp,
  { tasks, waiting }: { tasks: TaskPort; waiting: WaitingRequests },
): void {
  app.route({
    method: 'GET',
    url: '/v1/tasks/:id/result',
    config: { errors: ['task_not_found', 'invalid_input'] },
    schema: {
      operationId: 'getTaskResult',
      tags: ['Tasks'],
      summary: 'Read or await the result of a task',
      description: '200 once the task is over, however it ended; 202 with the task as it stands before that.',
      params: TaskParams,
      querystring: Query,
      response: { 200: TaskOutcome, 202: Task },
    },
    handler: async ({ params, query }, reply) => {
      const id = taskIDOf(params)
      const task =
        query.waitMs === 0
          ? await tasks.get(id)
          : await tasks.whenFinished(id, query.waitMs, waiting.signalFor(reply.raw))
      return isTerminal(task.state) ? reply.code(200).send(outcomeOf(task)) : reply.code(202).send(task)
    },
  })
}
