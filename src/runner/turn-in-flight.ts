import { messageIDAt } from '../records/message-id.ts'
import type { Checkpoint, TaskRecord } from '../records/task-record.ts'
import type { Turn, TurnRef } from '../sessions/backend.ts'

/** The turn that a checkpoint is about, to ask its server for it; nothing of it is sent again. */
export function turnInFlight(record: TaskRecord, checkpoint: Checkpoint): TurnRef & Pick<Turn, 'model'> {
  return {
    sessionID: record.sessionID!,
    messageID: messageIDAt(record, checkpoint),
    directory: record.directory ?? undefined,
    model: checkpoint.model,
  }
}
