import type { TaskRecord } from '../records/task-record.ts'
import { messagesOf, partsOf } from '../tasks/input.ts'

const CHARACTERS_PER_TOKEN = 4

/** What the text of the next message has, roughly. What OpenCode adds, and the answer, are not in it. */
export function estimateTokens({ input, done }: Pick<TaskRecord, 'input' | 'done'>): number {
  const message = messagesOf(input)[done.length]
  if (message === undefined) return 0
  let characters = message.system?.length ?? 0
  for (const part of partsOf(message)) if (part.type === 'text') characters += part.text.length
  return Math.ceil(characters / CHARACTERS_PER_TOKEN)
}
