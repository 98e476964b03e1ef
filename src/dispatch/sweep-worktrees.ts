import type { RecordStore } from '../records/record-store.ts'
import type { WorktreeStore } from '../records/worktree-store.ts'
import type { SessionBackend } from '../sessions/backend.ts'

/** Removes the worktrees of tasks that are over: of those that were cancelled while nobody ran them, or died. */
export async function sweepWorktrees(
  worktrees: WorktreeStore,
  records: Pick<RecordStore, 'liveQueues'>,
  backends: readonly SessionBackend[],
): Promise<void> {
  const known = await worktrees.all()
  if (known.length === 0) return
  const live = new Set((await records.liveQueues(known.map(({ owner }) => owner))).map(({ id }) => id))
  for (const { taskID, owner, server, name, source } of known) {
    const backend = backends.find((one) => one.server === server)
    if (live.has(owner) || backend === undefined) continue
    try {
      await backend.removeWorktree({ name, directory: source ?? undefined })
      await worktrees.forget(taskID)
    } catch {
      // The server is away: next time.
    }
  }
}
