/** Working copies by OpenCode's own endpoint, on OpenCode's own disk. */
import { basename, join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TierlineError } from '../../errors.ts'
import type { OpenWorktree, Worktree } from '../backend.ts'
import type { OpenCodeHttp } from './http.ts'
import { OpenCodeRefusal } from './refusal.ts'
import { commitOf, MOST_DIFF_BYTES, patchSince } from './worktree-git.ts'

const LOOK_MS = 100
/** A repository whose files never look unchanged (filters, line ends) is taken as it is then. */
const MOST_LOOKS = 600
/** What git says of a copy that somebody else is just making or removing in the same repository. */
const IN_THE_WAY = /failed to read \S*worktrees\/|\.lock'?: File exists/
const MOST_TRIES = 50
/** What git says of a repository in which nothing was ever committed. */
const NO_COMMIT = /not a valid object name: '?HEAD|invalid reference: '?HEAD/

type Ask = <T>(request: () => Promise<T>) => Promise<T>

/** `ask` bears a server that is away for a while. */
export async function openWorktree(
  http: OpenCodeHttp,
  { name, directory }: OpenWorktree,
  ask: Ask,
  signal: AbortSignal,
): Promise<Worktree> {
  return orFailed(directory, async () => {
    const root = await ask(async () => {
      // Asked first, also after an answer that was lost: a second one would get another name.
      const found = (await http.worktrees(directory, signal)).find((path) => basename(path) === name)
      return (
        found ?? (await unlessInTheWay(() => http.createWorktree(directory, name, signal), signal)).directory
      )
    })
    // The files come after the answer. OpenCode tells when on a stream of all directories only.
    for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
      if ((await ask(() => http.changes(root, signal))) === 0) break
      await sleep(LOOK_MS, undefined, { signal })
    }
    const { worktree, directory: at } = await ask(() => http.paths(directory, signal))
    return { root, directory: join(root, relative(worktree, at)), base: await commitOf(root) }
  })
}

/** Several copies of a repository that are made at once read each other's half-made files. */
async function unlessInTheWay<T>(create: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await create()
    } catch (error) {
      const passes = error instanceof OpenCodeRefusal && IN_THE_WAY.test(error.message)
      if (!passes || tries === MOST_TRIES) throw error
      await sleep(LOOK_MS, undefined, { signal })
    }
  }
}

/** By git where its files are at hand. Elsewhere OpenCode tells, and commits only if the copied branch is the default one. */
export async function worktreeDiff(
  http: OpenCodeHttp,
  { root, base }: Worktree,
  directory: string | undefined,
  ask: Ask,
  signal: AbortSignal,
): Promise<string> {
  return orFailed(root, async () => {
    if (base !== null) return patchSince(root, base)
    const { branch, default_branch: main } = await ask(() => http.branches(directory, signal))
    const mode = branch !== undefined && branch === main ? 'branch' : 'git'
    const patches = await ask(() => http.patches(root, mode, signal))
    return patches.join('').slice(0, MOST_DIFF_BYTES)
  })
}

export async function removeWorktree(
  http: OpenCodeHttp,
  { name, directory }: OpenWorktree,
  ask: Ask,
  signal: AbortSignal,
): Promise<void> {
  try {
    const roots = await ask(() => http.worktrees(directory, signal))
    for (const root of roots.filter((path) => basename(path) === name))
      await ask(() => http.removeWorktree(directory, root, signal))
  } catch (error) {
    // Repository or copy are gone: so is what was to be removed.
    if (!(error instanceof OpenCodeRefusal) || error.status >= 500) throw error
  }
}

async function orFailed<T>(directory: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof OpenCodeRefusal)) throw cause
    const code = cause.reason === 'WorktreeNotGitError' ? 'not_a_git_repository' : 'worktree_failed'
    const of = directory === undefined ? "the server's own directory" : `"${directory}"`
    const why = NO_COMMIT.test(cause.message)
      ? 'its repository has no commit yet, must have one'
      : cause.message.trim()
    throw new TierlineError(code, `Cannot work in a worktree of ${of}: ${why}`, { cause })
  }
}
