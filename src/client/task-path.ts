import { TierlineError } from '../errors.ts'

/** `v1/tasks/tsk_…`. What is no id is refused here: `..` would lead to another endpoint. */
export function taskPath(id: string): string {
  if (typeof id === 'string' && /^[\w-]+$/.test(id)) return `v1/tasks/${id}`
  throw new TierlineError(
    'task_not_found',
    `Cannot find task "${id}": an id is "tsk_" and 26 letters and digits`,
    {
      errors: [{ field: 'id', message: 'is not a task id', given: id }],
    },
  )
}
