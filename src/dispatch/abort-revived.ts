/**
 * A worker that was suspended right before it sent a message sends it when it wakes, also when the task was
 * cancelled meanwhile: HTTP knows no fence. Such a turn belongs to nobody and is aborted.
 */
import { messageIDAt } from '../records/message-id.ts'
import type { RecordStore } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { TombstoneStore } from '../records/tombstone-store.ts'
import type { SessionBackend } from '../sessions/backend.ts'
import { isTerminal } from '../tasks/state.ts'

export interface RevivedDeps {
  backends: readonly SessionBackend[]
  onRevived(taskID: string): void
}

/** Looks at every turn that was aborted of late. A server that is away is looked at next time. */
export async function abortRevived(
  tombstones: TombstoneStore,
  records: Pick<RecordStore, 'readMany'>,
  { backends, onRevived }: RevivedDeps,
  now: number,
): Promise<void> {
  const buried = await tombstones.recent(now)
  if (buried.length === 0) return
  const found = await records.readMany(buried.map(({ taskID }) => taskID))
  // Of a task that was deleted nobody knows the messages any more.
  const turns = buried.flatMap((tombstone, index) => {
    const record = found[index]
    return record === undefined
      ? []
      : [{ ...tombstone, messageID: messageIDAt(record, tombstone.checkpoint) }]
  })
  await Promise.all(
    backends.map(async (backend) => {
      const its = turns.filter(({ server }) => server === backend.server)
      if (its.length === 0) return
      for (const turn of await backend.running(its).catch(() => [])) {
        onRevived(turn.taskID)
        await backend.abort(turn).catch(() => {})
      }
    }),
  )
}

/**
 * For a worker that learns that its task is no longer its own: what it may just have revived is aborted, unless
 * somebody else runs it. Never throws.
 */
export async function abortIfNobodys(
  record: TaskRecord,
  records: Pick<RecordStore, 'read'>,
  { backends, onRevived }: RevivedDeps,
): Promise<void> {
  const { id, server, sessionID, directory, checkpoint } = record
  const backend = backends.find((one) => one.server === server)
  if (backend === undefined || sessionID === null || checkpoint === null) return
  try {
    const now = await records.read(id)
    if (now !== undefined && !isTerminal(now.state) && now.sessionID === sessionID) return
    const messageID = messageIDAt(record, checkpoint)
    const turn = { sessionID, directory: directory ?? undefined, messageID }
    if ((await backend.running([turn])).length === 0) return
    onRevived(id)
    await backend.abort(turn)
  } catch {
    // Redis or the server is away; the tombstone is looked at by who does the maintenance.
  }
}
