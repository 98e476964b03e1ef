/** What only git can tell, where the files of a worktree are on this machine. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { TierlineError } from '../../errors.ts'

/** A longer diff is cut: it stands in the record of its task. */
export const MOST_DIFF_BYTES = 1024 * 1024

/** No hook and no monitor that the agent may have left in the repository is run; a filter in its configuration is. */
const SAFE = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null']

/** The commit that is checked out; `null` when there is no such directory here, or no git. */
export async function commitOf(root: string): Promise<string | null> {
  if (!existsSync(root)) return null
  const { failed, output } = await git(root, ['rev-parse', 'HEAD'])
  return failed === null ? output.trim() : null
}

/** All that differs from `base`, committed or not, new files too. Stages it. @throws `worktree_failed`. */
export async function patchSince(root: string, base: string): Promise<string> {
  for (const args of [
    ['add', '--all'],
    ['diff', '--cached', '--binary', '--no-ext-diff', '--no-textconv', base],
  ]) {
    const { failed, output } = await git(root, args)
    if (failed?.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return output.slice(0, MOST_DIFF_BYTES)
    if (failed !== null)
      throw new TierlineError(
        'worktree_failed',
        `Cannot tell what was changed in "${root}": ${failed.message.trim()}`,
      )
    if (args[0] === 'diff') return output
  }
  return ''
}

function git(
  root: string,
  args: readonly string[],
): Promise<{ failed: { code?: unknown; message: string } | null; output: string }> {
  return new Promise((resolve) => {
    const limits = { cwd: root, maxBuffer: MOST_DIFF_BYTES, timeout: 60_000 }
    execFile('git', [...SAFE, ...args], limits, (failed, output) => resolve({ failed, output }))
  })
}
