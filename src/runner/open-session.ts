import type { TaskRecord } from '../records/task-record.ts'
import type { SessionBackend } from '../sessions/backend.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { Journal } from './journal.ts'

export interface OpenSessionDeps {
  /** The server by its name; the one to use for a new session when `undefined`. @throws `opencode_unavailable`. */
  backend(server: string | undefined): SessionBackend
  /** The model of the next session, by the table in force now; the reason when it is another than at submit. */
  modelFor(record: TaskRecord): Promise<{ model: ModelID; changed?: string }>
}

/** Opens the session of a task with the model in force now, and notes both in `record`. Nothing is written yet. */
export async function openSession(
  record: TaskRecord,
  deps: OpenSessionDeps,
  journal: Pick<Journal, 'add'>,
  signal: AbortSignal,
): Promise<void> {
  const { id, retries } = record
  const { model, changed } = await deps.modelFor(record)
  if (changed !== undefined)
    journal.add({ type: 'model-changed', from: record.model, to: model, reason: changed })
  record.model = model
  const backend = deps.backend(undefined)
  const { sessionID } = await backend.openSession(
    {
      taskID: retries === 0 ? id : `${id}.${retries}`,
      title: record.input.title ?? `${record.type ?? record.tier ?? 'task'} ${id}`,
      model,
      directory: record.directory ?? undefined,
      mayExist: record.attempt > 1,
    },
    signal,
  )
  record.sessionID = sessionID
  record.server = backend.server
  journal.add({ type: 'session-opened', sessionID, server: backend.server, model })
}
