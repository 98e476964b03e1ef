/** A message of an OpenCode client, and the answer to whoever waits for it. */

import type { TaskRecord } from '../../records/task-record.ts'
import { translateRedisError } from '../../redis/redis-unavailable.ts'
import type { SessionBackend } from '../../sessions/backend.ts'
import type { EndNotices } from '../../stream/end-notices.ts'
import type { NewEvent } from '../../tasks/event.ts'
import { isTerminal } from '../../tasks/state.ts'
import type { Task } from '../../tasks/task.ts'
import { createTaskID } from '../../tasks/task-id.ts'
import { type FoundSession, findSession } from '../find-session.ts'
import type { AcceptOptions } from './accept-message.ts'
import type { LocateSession } from './locate-session.ts'
import { messageAnswer } from './message-answer.ts'

export interface AskMessageDeps {
  backends: readonly SessionBackend[]
  locate: LocateSession
  acceptMessage(session: FoundSession, body: unknown, options: AcceptOptions): Promise<Task>
  ends: EndNotices
  /** Name of this process, under which it is told the ends of tasks. */
  name: string
  whenFinished(id: string, waitMs: number, signal: AbortSignal): Promise<TaskRecord>
}

/** `answer`: OpenCode's, once the task is over; `undefined` when `signal` aborts before. To be called once. */
export interface AskedMessage {
  task: Task
  answer(signal: AbortSignal): Promise<object | undefined>
}

/** See the functions it returns. */
export function createAskMessage(deps: AskMessageDeps) {
  const { backends, locate, acceptMessage, ends, name } = deps

  /** Accepts a message; its task is in Redis, in its place among those of the session. */
  async function send(sessionID: string, body: unknown, caller: string | null): Promise<Task> {
    return accept(sessionID, body, { caller })
  }

  /** The same for whoever waits for the answer, which comes without a further round trip. */
  async function ask(sessionID: string, body: unknown, caller: string | null): Promise<AskedMessage> {
    const id = createTaskID()
    try {
      await ends.expect(id)
      const task = await accept(sessionID, body, { id, caller, waiter: name })
      if (task.id !== id) ends.forget(id)
      const failed = (error: unknown) => {
        throw translateRedisError(error)
      }
      return { task, answer: (signal) => answer(task, sessionID, signal).catch(failed) }
    } catch (error) {
      ends.forget(id)
      throw error
    }
  }

  async function accept(sessionID: string, body: unknown, options: AcceptOptions): Promise<Task> {
    return acceptMessage(await findSession(backends, sessionID), body, options)
  }

  /** OpenCode's answer to the message of a task, once it is over; `undefined` when `signal` aborts before. */
  async function answer({ id }: Task, sessionID: string, signal: AbortSignal): Promise<object | undefined> {
    const onAbort = () => ends.forget(id)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const events = await ends.ended(id)
    signal.removeEventListener('abort', onAbort)
    ends.forget(id)
    const messageID = events && answeredIn(events)
    if (messageID !== undefined) {
      const { backend, directory } = await locate(sessionID)
      const found = await backend.answerTo({ sessionID, directory }, messageID, signal)
      if (found !== undefined) return found
    }
    const record = await deps.whenFinished(id, Number.POSITIVE_INFINITY, signal)
    if (!isTerminal(record.state)) return undefined
    const { backend } = await locate(sessionID)
    return messageAnswer(record, backend, signal)
  }

  return { send, ask }
}

/** The message of a task that went well, by its last events. */
function answeredIn(events: readonly NewEvent[]): string | undefined {
  const finished = events.find((event) => event.type === 'message-finished')
  const last = events.at(-1)
  return last?.type === 'task-finished' && last.state === 'succeeded' ? finished?.messageID : undefined
}
