/** Which sessions were opened for tasks, and the end of those that nobody uses. */
import type { OpenedSession, SessionRef } from '../backend.ts'
import type { OpenCodeHttp } from './http.ts'
import { taskIDIn } from './open-session.ts'
import { OpenCodeRefusal } from './refusal.ts'

/** Every title holds the id of its task, and the server searches titles only. */
const IN_EVERY_TITLE = 'tsk_'

export async function openedSince(http: OpenCodeHttp, sinceMs: number): Promise<OpenedSession[]> {
  const sessions = await http.sessionsSince(sinceMs, IN_EVERY_TITLE)
  return sessions.flatMap(({ id, directory, metadata, time }) => {
    const taskID = taskIDIn(metadata)
    if (taskID === undefined || time.created < sinceMs) return []
    return [{ sessionID: id, directory, taskID, createdAt: time.created }]
  })
}

/** `false`: something was asked in it. */
export async function removeEmpty(
  http: OpenCodeHttp,
  { sessionID, directory }: SessionRef,
): Promise<boolean> {
  try {
    const messages = await http.messages(sessionID, directory, new AbortController().signal)
    if (messages.length > 0) return false
    await http.removeSession(sessionID, directory)
  } catch (error) {
    if (!(error instanceof OpenCodeRefusal && error.status === 404)) throw error
  }
  return true
}
