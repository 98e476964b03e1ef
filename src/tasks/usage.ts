import { z } from 'zod'

const Tokens = z.int().min(0)

/** Tokens of one or more turns. `inputTokens` does not include those read from the cache. */
export const Usage = z.strictObject({
  inputTokens: Tokens,
  outputTokens: Tokens,
  reasoningTokens: Tokens,
  cacheReadTokens: Tokens,
  cacheWriteTokens: Tokens,
})

export type Usage = z.infer<typeof Usage>

export const NO_USAGE: Usage = Object.freeze({
  inputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
})

/** Sum, field by field. */
export function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
  }
}
