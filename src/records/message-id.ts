import { messagesOf } from '../tasks/input.ts'
import { messageIDOf } from '../tasks/task-id.ts'
import type { Checkpoint, TaskRecord } from './task-record.ts'

/** The id of the message in flight: on the first try the client's own, where it gave one. */
export function messageIDAt(
  { id, input }: Pick<TaskRecord, 'id' | 'input'>,
  checkpoint: Pick<Checkpoint, 'index' | 'try'>,
): string {
  const { messageID } = messagesOf(input)[checkpoint.index]!
  return checkpoint.try === 0 && messageID !== undefined
    ? messageID
    : messageIDOf(id, checkpoint.index, checkpoint.try)
}
