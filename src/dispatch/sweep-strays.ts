/**
 * Removes sessions that were opened for a task and that it does not use: a worker died or was frozen between the
 * request and its checkpoint, and meanwhile another one opened the task's own. Nothing was ever asked in them.
 */
import type { RecordStore } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { OpenedSession, SessionBackend } from '../sessions/backend.ts'
import { isTerminal } from '../tasks/state.ts'

/** Younger ones may be on their way into a checkpoint. */
const SETTLED_MS = 60_000
const EVERY_MS = 60_000
/** How far the first look goes back, and how long a server may be away without a stray being overlooked. */
const BACK_MS = 30 * 60_000

export interface SweepStraysDeps {
  backends: readonly SessionBackend[]
  records: Pick<RecordStore, 'readMany'>
  now(): number
  onSwept(session: OpenedSession, server: string): void
}

/**
 * A function to call now and then: it looks once a minute, with one request per server and one for each stray.
 * A server that is away is looked at the next time.
 */
export function createStraySweeper({
  backends,
  records,
  now,
  onSwept,
}: SweepStraysDeps): () => Promise<void> {
  let nextLookAt = 0
  /** Up to when the sessions of a server were looked at. */
  const lookedAt = new Map<string, number>()

  async function sweep(backend: SessionBackend, until: number): Promise<void> {
    const opened = await backend.openedSince(lookedAt.get(backend.server) ?? until - BACK_MS)
    const settled = opened.filter(({ createdAt }) => createdAt <= until)
    const found = await records.readMany(settled.map(({ taskID }) => taskOf(taskID)))
    for (const [index, session] of settled.entries()) {
      if (isStray(session, found[index]) && (await backend.removeEmpty(session)))
        onSwept(session, backend.server)
    }
    lookedAt.set(backend.server, until)
  }

  return async () => {
    if (now() < nextLookAt) return
    nextLookAt = now() + EVERY_MS
    const until = now() - SETTLED_MS
    await Promise.allSettled(backends.map((backend) => sweep(backend, until)))
  }
}

/** A task that is not ours may be another namespace's. One that waits for its next start will look for its session. */
function isStray({ sessionID }: OpenedSession, record: TaskRecord | undefined): boolean {
  if (record === undefined || record.sessionID === sessionID) return false
  return record.sessionID !== null || isTerminal(record.state)
}

/** A session is opened under `tsk_…`, and after the n-th retry under `tsk_….n`. */
function taskOf(name: string): string {
  return name.split('.', 1)[0]!
}
