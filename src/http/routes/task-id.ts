import { z } from 'zod'
import { TierlineError } from '../../errors.ts'
import { TaskID } from '../../tasks/task-id.ts'

/** For OpenAPI; a task id of the wrong form is answered as unknown, by `taskIDOf`. */
export const TaskParams = z.object({ id: z.string().meta({ description: 'Task id: `tsk_…`' }) })

/** @throws {TierlineError} `task_not_found` for what cannot be an id: no such text reaches a key of Redis. */
export function taskIDOf({ id }: { id: string }): string {
  if (TaskID.safeParse(id).success) return id
  throw new TierlineError(
    'task_not_found',
    `Cannot find task "${id}": an id is "tsk_" and 26 letters and digits`,
  )
}
