/** The same task on several models at once. */
import { CompareInput } from '../../tasks/compare-input.ts'
import type { HttpApp } from '../app.ts'
import type { TaskPort } from '../ports.ts'
import { registerSubmitRoute } from './submit-route.ts'

export function registerCompareRoute(app: HttpApp, tasks: TaskPort): void {
  registerSubmitRoute(app, {
    url: '/v1/compare',
    operationId: 'compare',
    summary: 'Run a task on several models at once',
    description:
      'Answers with a task that waits for one child per model; its `result.comparison` is the table. A child that fails does not fail the others.',
    body: CompareInput,
    errors: ['unknown_verifier'],
    accept: (input, caller) => tasks.acceptCompare(input, caller),
  })
}
