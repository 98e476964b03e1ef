import type { Usage } from '../../tasks/usage.ts'

/** `1234` → `1,234`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** All tokens of a usage, read from the cache or not. */
export function totalTokens(usage: Usage): number {
  const { inputTokens, outputTokens, reasoningTokens, cacheReadTokens, cacheWriteTokens } = usage
  return inputTokens + outputTokens + reasoningTokens + cacheReadTokens + cacheWriteTokens
}
