/** What running tasks ask of people. */
import { z } from 'zod'
import { TierlineError } from '../../errors.ts'
import { Ask, AskAnswer, AskList } from '../../tasks/ask.ts'
import type { HttpApp } from '../app.ts'
import type { TaskPort } from '../ports.ts'
import { NO_VALIDATION } from '../validation.ts'
import { TaskParams, taskIDOf } from './task-id.ts'

const AskParams = TaskParams.extend({
  askID: z.string().meta({ description: 'Id of the ask: `per_…` or `que_…`' }),
})

export function registerAskRoutes(app: HttpApp, tasks: TaskPort): void {
  app.route({
    method: 'GET',
    url: '/v1/tasks/:id/asks',
    config: { errors: ['task_not_found'] },
    schema: {
      operationId: 'listAsks',
      tags: ['Tasks'],
      summary: 'List what a task asks',
      description: 'Open and closed ones, oldest first.',
      params: TaskParams,
      response: { 200: AskList },
    },
    handler: async ({ params }) => ({ data: await tasks.asks(taskIDOf(params)) }),
  })

  app.route({
    method: 'POST',
    url: '/v1/tasks/:id/asks/:askID',
    config: { errors: ['task_not_found', 'ask_not_found', 'ask_closed', 'invalid_input', 'unknown_field'] },
    schema: {
      operationId: 'answerAsk',
      tags: ['Tasks'],
      summary: 'Answer what a task asks',
      description: '`reply` to a permission, `answers` to questions. The first answer counts.',
      params: AskParams,
      body: AskAnswer,
      response: { 200: Ask },
    },
    ...NO_VALIDATION,
    handler: ({ params, body }) => tasks.answer(taskIDOf(params), askIDOf(params), body),
  })
}

/** No other text reaches a key of Redis. */
function askIDOf({ id, askID }: { id: string; askID: string }): string {
  if (/^[\w-]{1,128}$/.test(askID)) return askID
  throw new TierlineError('ask_not_found', `Cannot find the ask "${askID}": task "${id}" has none such`)
}
