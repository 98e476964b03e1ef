/** What a turn has used so far. Pure. */
import type { ModelID } from '../../tasks/model-id.ts'
import { addUsage, NO_USAGE, type Usage } from '../../tasks/usage.ts'
import { answersOf } from './turn-messages.ts'
import type { AssistantInfo, WireMessage } from './wire.ts'

export interface Tally {
  /** The last one that answered; the one asked for while none has. */
  model: ModelID
  usage: Usage
  costMicroUsd: number
  /** Answers of the model that are complete, summaries included: they are paid for too. */
  steps: number
}

export function tally(turn: readonly WireMessage[], asked: ModelID): Tally {
  const answers = answersOf(turn).map(({ info }) => info)
  const costUsd = answers.reduce((sum, { cost }) => sum + cost, 0)
  const last = answers.findLast(({ summary }) => !summary)
  return {
    model: last ? `${last.providerID}/${last.modelID}` : asked,
    usage: answers.reduce((sum, info) => addUsage(sum, usageOf(info)), NO_USAGE),
    costMicroUsd: Math.round(costUsd * 1_000_000),
    steps: answers.filter(({ finish }) => finish !== undefined && finish !== 'error').length,
  }
}

function usageOf({ tokens }: AssistantInfo): Usage {
  if (!tokens) return NO_USAGE
  return {
    inputTokens: tokens.input,
    outputTokens: tokens.output,
    reasoningTokens: tokens.reasoning,
    cacheReadTokens: tokens.cache.read,
    cacheWriteTokens: tokens.cache.write,
  }
}
