/** The worktree of a task with `isolation: worktree`, from its session to its end. */
import type { TaskRecord } from '../records/task-record.ts'
import type { KnownWorktree, WorktreeStore } from '../records/worktree-store.ts'
import type { SessionBackend } from '../sessions/backend.ts'

export interface WorktreeDeps {
  worktrees: Pick<WorktreeStore, 'note' | 'of' | 'forget'>
  /** @throws `opencode_unavailable`. */
  backend(server: string | undefined): SessionBackend
}

/** Opens it, or finds the one that a run before this one opened, and puts the task there. Nothing is written yet. */
export async function enterWorktree(
  record: TaskRecord,
  backend: SessionBackend,
  deps: WorktreeDeps,
  signal: AbortSignal,
): Promise<void> {
  const { worktrees } = deps
  const { id, retries, input, directory } = record
  const owner = (record.keepsWorktree && input.parentTaskID) || id
  const known: KnownWorktree = {
    ...{ taskID: id, owner, server: backend.server, source: directory },
    name: `tierline-${id.slice('tsk_'.length)}${retries === 0 ? '' : `-${retries}`}`,
  }
  if (record.attempt > 1) await removeFormer(known, deps)
  await worktrees.note(known)
  const request = { name: known.name, directory: directory ?? undefined }
  record.worktree = { ...(await backend.openWorktree(request, signal)), source: directory }
  record.directory = record.worktree.directory
}

/** Of a run that came no further than to another server, or before the task was retried: nobody else will know of it. */
async function removeFormer(known: KnownWorktree, { worktrees, backend }: WorktreeDeps): Promise<void> {
  const former = await worktrees.of(known.taskID)
  if (former === undefined || (former.server === known.server && former.name === known.name)) return
  const request = { name: former.name, directory: former.source ?? undefined }
  await backend(former.server)
    .removeWorktree(request)
    .catch(() => {})
}

/** What the task changed. @throws {TierlineError} `worktree_failed`, `opencode_unavailable`. */
export async function diffOf(record: TaskRecord, { backend, worktrees }: WorktreeDeps): Promise<string> {
  const known = await worktrees.of(record.id)
  return backend(record.server!).worktreeDiff(record.worktree!, known?.source ?? undefined)
}

/** After the end of the task. What is left of it, or cannot be reached now, goes with the maintenance. */
export async function leaveWorktree(record: TaskRecord, { backend, worktrees }: WorktreeDeps): Promise<void> {
  if (!record.keepsWorktree) await removeWorktreeOf(record.id, { backend, worktrees })
}

/** Never throws: what cannot be reached now goes with the maintenance. */
export async function removeWorktreeOf(taskID: string, { backend, worktrees }: WorktreeDeps): Promise<void> {
  try {
    const known = await worktrees.of(taskID)
    if (known === undefined) return
    await backend(known.server).removeWorktree({ name: known.name, directory: known.source ?? undefined })
    await worktrees.forget(taskID)
  } catch {
    // It is written down, so somebody will come for it.
  }
}
