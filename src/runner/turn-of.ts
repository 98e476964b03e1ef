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
  openAsks: readonly string[],
): Turn {
  const message = messagesOf(record.input)[checkpoint.index]!
  return {
    sessionID: record.sessionID!,
    directory: record.directory ?? undefined,
    messageID,
    model: checkpoint.model,
    agent: message.agent ?? record.input.agent ?? defaultAgent,
    system: message.system && withTaskID(message.system, record.id),
    ...(message.variant !== undefined && { variant: message.variant }),
    ...(message.isAttended && { isAttended: true }),
    ...(openAsks.length > 0 && { openAsks }),
    ...(message.tools !== undefined && { tools: message.tools }),
    parts: partsOf(message).map((part, index) => ({
      ...(part.type === 'text' ? { ...part, text: withTaskID(part.text, record.id) } : part),
      // A part of an OpenCode client may have an id of its own.
      id: part.id ?? partIDOf(messageID, index),
    })),
  }
}

/** An agent knows nothing of tasks: so that it can submit others below its own, a prompt may name it. */
function withTaskID(text: string, taskID: string): string {
  return text.replaceAll('{{tierline.taskID}}', taskID)
}
