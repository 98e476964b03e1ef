import type { TaskRecord } from '../records/task-record.ts'
import { factsOf, type TaskFacts } from '../routing/task-facts.ts'

/** What rules looked at when the task was submitted, so that asked again they say the same. */
export function recordFacts({ input, directory, worktree, key, compare }: TaskRecord): TaskFacts {
  // In a worktree the task's directory is that of the copy.
  const place = { directory: worktree === null ? directory : worktree.source, key }
  return factsOf(compare === null ? input : undefined, place)
}
