import type { TaskRecord } from '../records/task-record.ts'
import type { SessionBackend } from '../sessions/backend.ts'
import { unlessAborted } from '../sessions/unless-aborted.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { PermissionRule } from '../tasks/permissions.ts'
import type { Journal } from './journal.ts'
import { enterWorktree, type WorktreeDeps } from './own-worktree.ts'

export interface OpenSessionDeps extends WorktreeDeps {
  /** The server by its name; the one to use for a new session when `undefined`. @throws `opencode_unavailable`. */
  backend(server: string | undefined): SessionBackend
  /** What the agent of the task may do, as configuration and task say it. */
  rulesOf(record: TaskRecord): readonly PermissionRule[]
  /** The server that has this session. @throws `session_not_found`, `opencode_unavailable`. */
  ownerOf(sessionID: string): Promise<SessionBackend>
  /**
   * The model of the next message, by the table in force now and without those that cool down, where others do not;
   * the reason when it is another than before.
   */
  modelFor(record: TaskRecord): Promise<{ model: ModelID; changed?: string }>
}

/**
 * Opens the session of a task, or finds the one it names, with the model in force now; notes both in `record`.
 * Nothing is written yet.
 */
export async function openSession(
  record: TaskRecord,
  deps: OpenSessionDeps,
  journal: Pick<Journal, 'add'>,
  signal: AbortSignal,
): Promise<void> {
  // A fresh server may take long to say what it offers.
  const { model, changed } = await unlessAborted(signal, deps.modelFor(record))
  if (changed !== undefined)
    journal.add({ type: 'model-changed', from: record.model, to: model, reason: changed })
  record.model = model
  const given = record.input.sessionID
  const backend =
    given === undefined ? deps.backend(undefined) : await unlessAborted(signal, deps.ownerOf(given))
  if (record.input.isolation === 'worktree' && record.worktree === null)
    await enterWorktree(record, backend, deps, signal)
  const sessionID = given ?? (await newSession(backend, deps.rulesOf(record), record, signal))
  record.sessionID = sessionID
  record.server = backend.server
  journal.add({ type: 'session-opened', sessionID, server: backend.server, model })
}

async function newSession(
  backend: SessionBackend,
  rules: readonly PermissionRule[],
  { id, retries, input, type, tier, model, directory, attempt }: TaskRecord,
  signal: AbortSignal,
): Promise<string> {
  const { sessionID } = await backend.openSession(
    {
      taskID: retries === 0 ? id : `${id}.${retries}`,
      title: input.title ?? `${type ?? tier ?? 'task'} ${id}`,
      model,
      directory: directory ?? undefined,
      mayExist: attempt > 1,
      rules,
    },
    signal,
  )
  return sessionID
}
