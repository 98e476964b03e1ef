import { formatCount, totalTokens } from '../format/count.ts'
import type { TaskView } from './task-view.ts'

const LENGTH_PER_TOKEN = 4

/** `412`, or `~430` while text comes whose tokens nobody has counted yet. */
export function tokenCount({ usage, streamedLength }: Pick<TaskView, 'usage' | 'streamedLength'>): string {
  const guess = Math.ceil(streamedLength / LENGTH_PER_TOKEN)
  return `${guess > 0 ? '~' : ''}${formatCount(totalTokens(usage) + guess)}`
}
