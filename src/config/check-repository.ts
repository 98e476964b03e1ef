import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TierlineError } from '../errors.ts'

/**
 * Whether a directory lies in a git repository, by what lies above it. That it has a commit is seen later.
 *
 * @throws {TierlineError} `not_a_git_repository`.
 */
export async function checkRepository(directory: string): Promise<void> {
  for (let at = directory; ; at = dirname(at)) {
    if (await exists(join(at, '.git'))) return
    if (dirname(at) === at) break
  }
  const message = 'is in no git repository, and only those have worktrees'
  throw new TierlineError('not_a_git_repository', `Cannot use the directory "${directory}": it ${message}`, {
    errors: [{ field: 'directory', message, given: directory }],
  })
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
