/** The answer to a message as OpenCode gives it. */
import { ERRORS, type ErrorCode, TierlineError } from '../../errors.ts'
import { messageIDAt } from '../../records/message-id.ts'
import type { TaskRecord } from '../../records/task-record.ts'
import type { SessionBackend } from '../../sessions/backend.ts'
import { messagesOf } from '../../tasks/input.ts'
import { splitModelID } from '../../tasks/model-id.ts'

/**
 * What became of a message whose task is over: OpenCode's own `{ info, parts }`, failures of the model included.
 * One that was stopped before it had an answer gets one that says so, as OpenCode's would.
 *
 * @throws {TierlineError} with the code of the task's failure, where OpenCode has nothing to say.
 */
export async function messageAnswer(
  record: TaskRecord,
  backend: SessionBackend,
  signal: AbortSignal,
): Promise<object> {
  const { input, done, checkpoint, state, error } = record
  const sessionID = input.sessionID!
  const messageID = done[0]?.messageID ?? messageIDAt(record, checkpoint ?? { index: 0, try: 0 })
  const session = { sessionID, directory: record.directory ?? undefined }
  const answer = await backend.answerTo(session, messageID, signal).catch((failed: unknown) => {
    if (state === 'succeeded') throw failed
    return undefined
  })
  if (answer !== undefined) return answer
  if (state === 'cancelled') return aborted(record, messageID)
  const code = error !== null && error.code in ERRORS ? (error.code as ErrorCode) : 'session_not_found'
  throw new TierlineError(
    code,
    error?.message ?? `Cannot read the answer: the session "${sessionID}" is gone`,
  )
}

function aborted(record: TaskRecord, messageID: string): object {
  const { input, model, directory, createdAt, finishedAt } = record
  const agent = messagesOf(input)[0]!.agent ?? 'build'
  return {
    info: {
      id: `msg_${record.id.slice('tsk_'.length)}_aborted`,
      sessionID: input.sessionID,
      role: 'assistant',
      parentID: messageID,
      ...splitModelID(model),
      mode: agent,
      agent,
      path: { cwd: directory ?? '', root: directory ?? '' },
      cost: 0,
      tokens: { input: 0, output: 0, reasoning: 0, cache: { read: 0, write: 0 } },
      time: { created: createdAt, completed: finishedAt ?? createdAt },
      error: { name: 'MessageAbortedError', data: { message: 'Aborted' } },
    },
    parts: [],
  }
}
