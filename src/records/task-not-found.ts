import { TierlineError } from '../errors.ts'

/** The one wording of this error. */
export function taskNotFound(id: string): TierlineError {
  return new TierlineError(
    'task_not_found',
    `Cannot find task "${id}": it never existed, was deleted, or its retention is over`,
  )
}
