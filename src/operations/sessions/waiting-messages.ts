/** Messages that were accepted and not sent yet, as OpenCode would show them. */
import { messageIDAt } from '../../records/message-id.ts'
import type { RecordStore } from '../../records/record-store.ts'
import type { TaskRecord } from '../../records/task-record.ts'
import { messagesOf, partsOf } from '../../tasks/input.ts'
import { splitModelID } from '../../tasks/model-id.ts'
import { partIDOf } from '../../tasks/task-id.ts'
import type { TaskGates } from '../task-gates.ts'

export interface UserMessage {
  info: { id: string; sessionID: string; role: 'user'; [field: string]: unknown }
  parts: object[]
}

/** Of one session, in their order. Two round trips. */
export async function waitingMessages(
  { records, gates }: { records: RecordStore; gates: TaskGates },
  sessionID: string,
): Promise<UserMessage[]> {
  const ids = await gates.sessionTurn(sessionID).tasks()
  const found = await records.readMany(ids)
  return found.flatMap((record) => (record === undefined ? [] : userMessagesOf(record)))
}

/** The messages of a task that OpenCode does not have yet. */
export function userMessagesOf(record: TaskRecord): UserMessage[] {
  const sent = record.checkpoint === null ? record.done.length : record.checkpoint.index + 1
  return messagesOf(record.input)
    .map((message, index) => ({ message, index }))
    .slice(sent)
    .map(({ message, index }) => {
      const id = messageIDAt(record, { index, try: record.retries * 1000 })
      const sessionID = record.input.sessionID!
      return {
        info: {
          id,
          sessionID,
          role: 'user',
          time: { created: record.createdAt },
          agent: message.agent ?? record.input.agent ?? 'build',
          model: splitModelID(message.model ?? record.model),
        },
        parts: partsOf(message).map((part, place) => ({
          ...part,
          id: part.id ?? partIDOf(id, place),
          sessionID,
          messageID: id,
        })),
      }
    })
}
