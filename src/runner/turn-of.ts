import type { Checkpoint, TaskRecord } from '../records/task-record.ts'
import type { Turn } from '../sessions/backend.ts'
import { messagesOf, partsOf } from '../tasks/input.ts'
import { partIDOf } from '../tasks/task-id.ts'

/** The request for one message: the same, byte for byte, whoever builds it from the same checkpoint. */
export function turnOf(
  record: TaskRecord,
  checkpoint: Checkpoint,
  messageID: string,
  defaultAgent: string,
): Turn {
  const message = messagesOf(record.input)[checkpoint.index]!
  return {
    sessionID: record.sessionID!,
    directory: record.directory ?? undefined,
    messageID,
    model: checkpoint.model,
    agent: message.agent ?? record.input.agent ?? defaultAgent,
    system: message.system,
    parts: partsOf(message).map((part, index) => ({ ...part, id: partIDOf(messageID, index) })),
  }
}
