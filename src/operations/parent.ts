/** What it takes to be the parent of a task. */
import { TierlineError } from '../errors.ts'
import { MAX_DEPTH, type ParentRefusal } from '../queues/create-tasks.ts'
import type { TaskRecord } from '../records/task-record.ts'
import { isTerminal } from '../tasks/state.ts'

/** Why `parent` takes no child now; `undefined`: it does. The script that writes the child asks the same again. */
export function parentRefusal(parent: TaskRecord | undefined): ParentRefusal | undefined {
  if (parent === undefined) return 'unknown_parent'
  if (isTerminal(parent.state) || parent.cancelAt !== null) return 'parent_finished'
  return parent.depth >= MAX_DEPTH ? 'nested_too_deep' : undefined
}

const REASONS: Record<ParentRefusal, string> = {
  unknown_parent: 'does not exist',
  parent_finished: 'is over or being cancelled, and must still wait or run',
  nested_too_deep: `is on level ${MAX_DEPTH}, the deepest there is`,
}

export function parentRefused(code: ParentRefusal, parentTaskID: string): TierlineError {
  const message = REASONS[code]
  return new TierlineError(code, `Cannot accept the task: its parent "${parentTaskID}" ${message}`, {
    errors: [{ field: 'parentTaskID', message, given: parentTaskID }],
  })
}
