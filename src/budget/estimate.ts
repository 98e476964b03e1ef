/** What a step of a model may cost before it is known what it does. Pure; docs/budgets.md has the formulas. */
import type { CatalogModel, Price } from '../catalog/catalog.ts'
import { MOST_OUTPUT_TOKENS } from '../routing/context-fit.ts'
import { costMicroUsd, ratesFor } from '../routing/cost.ts'
import type { ParsedTaskInput } from '../tasks/input.ts'
import { estimatePrompt } from '../tasks/prompt-size.ts'
import { NO_USAGE } from '../tasks/usage.ts'

/** OpenCode's own system prompt and the descriptions of its tools, 32 kB of JSON: what is sent at the least. */
export const OWN_TOKENS = 8_000

export interface StepEstimate {
  /** Of one step, if the model says all it may. */
  stepMicroUsd: number
  /** Of its input alone: what a step costs that is aborted as it begins. */
  inputMicroUsd: number
}

/** What the first step of a message is sent: all messages of the task, since the session keeps them. */
export function promptTokens(input: ParsedTaskInput): number {
  return estimatePrompt(input).totalTokens + OWN_TOKENS
}

/** `outputTokens` of the catalog is 0 where nobody knows. */
export function outputLimitOf(model: Pick<CatalogModel, 'outputTokens'> | undefined): number {
  const known = model?.outputTokens ?? 0
  return known === 0 ? MOST_OUTPUT_TOKENS : Math.min(known, MOST_OUTPUT_TOKENS)
}

/** As if nothing came from the cache, and writing to it cost what it costs. */
export function estimateStep(price: Price, inputTokens: number, outputTokens: number): StepEstimate {
  const { inputMicroUsdPerMTok, cacheWriteMicroUsdPerMTok } = ratesFor(price, inputTokens)
  const kind = cacheWriteMicroUsdPerMTok > inputMicroUsdPerMTok ? 'cacheWriteTokens' : 'inputTokens'
  const input = { ...NO_USAGE, [kind]: inputTokens }
  return {
    stepMicroUsd: costMicroUsd(price, { ...input, outputTokens }),
    inputMicroUsd: costMicroUsd(price, input),
  }
}

export interface Hold {
  /** Two steps, since OpenCode begins the next one by itself. */
  wantMicroUsd: number
  /** What a task must have to go on: the step that runs, and the input of the one after it. */
  leastMicroUsd: number
}

/** `capLeftMicroUsd`: what is left of the task's own limit; `undefined`: it has none. */
export function holdFor(
  { stepMicroUsd, inputMicroUsd }: StepEstimate,
  capLeftMicroUsd: number | undefined,
): Hold {
  const cap = Math.max(0, capLeftMicroUsd ?? Number.POSITIVE_INFINITY)
  return {
    wantMicroUsd: Math.min(2 * stepMicroUsd, cap),
    leastMicroUsd: Math.min(stepMicroUsd + inputMicroUsd, cap),
  }
}
