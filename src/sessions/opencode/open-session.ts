import { splitModelID } from '../../tasks/model-id.ts'
import type { OpenSession } from '../backend.ts'
import type { OpenCodeHttp } from './http.ts'
import { patiently } from './patience.ts'
import { sessionRules } from './session-rules.ts'

/**
 * Creates the session of a task, or finds it: creating is not idempotent, so after a request without an
 * answer (and when the caller says so) the server is asked first whether it has one.
 */
export async function openSession(
  http: OpenCodeHttp,
  { taskID, title, model, directory, mayExist, rules = [] }: OpenSession,
  patienceMs: number,
  signal: AbortSignal,
): Promise<{ sessionID: string; isNew: boolean }> {
  let isFirstTry = !mayExist
  return patiently(patienceMs, signal, async () => {
    if (!isFirstTry) {
      const found = await find()
      if (found !== undefined) return { sessionID: found, isNew: false }
    }
    isFirstTry = false
    return create()
  })

  async function create(): Promise<{ sessionID: string; isNew: boolean }> {
    const { providerID, modelID } = splitModelID(model)
    const { id } = await http.createSession(
      directory,
      {
        title: title.includes(taskID) ? title : `${title} (${taskID})`,
        model: { providerID, id: modelID },
        metadata: { tierline: { taskID } },
        permission: sessionRules(rules),
      },
      signal,
    )
    return { sessionID: id, isNew: true }
  }

  /** The server searches titles only, hence the task's id in them; the metadata decides. */
  async function find(): Promise<string | undefined> {
    const hits = await http.searchSessions(directory, taskID, signal)
    return hits
      .filter(({ metadata }) => taskIDIn(metadata) === taskID)
      .sort((a, b) => a.time.created - b.time.created)[0]?.id
  }
}

/** The task that a session was opened for, if one was. */
export function taskIDIn(metadata: Record<string, unknown> | undefined): string | undefined {
  const own = metadata?.tierline
  const taskID = typeof own === 'object' && own !== null && 'taskID' in own ? own.taskID : undefined
  return typeof taskID === 'string' ? taskID : undefined
}
