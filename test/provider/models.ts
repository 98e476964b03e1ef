/** What the scripted provider sells: two providers, three classes of price. */
import type { Price } from '../../src/catalog/catalog.ts'
import type { ModelID } from '../../src/tasks/model-id.ts'
import type { ProviderUsage } from './ledger.ts'

export interface ScriptedModel {
  /** USD per million tokens, as OpenCode's configuration wants it. */
  cost: { input: number; output: number; cache_read: number; cache_write: number }
  limit: { context: number; output: number }
  /** False: no tools, so the model enters no derived tier. */
  tools?: boolean
}

export const SCRIPTED_MODELS: Readonly<Record<ModelID, ScriptedModel>> = {
  'acme/nano': model(0.1, 0.4, 128_000),
  'acme/mini': model(0.3, 1.2, 128_000),
  'acme/base': model(1, 5, 200_000),
  'acme/big': model(5, 25, 200_000),
  'globex/fast': model(0.2, 0.8, 128_000),
  'globex/deep': model(3, 15, 200_000),
  // So small that one step with @usage beyond it makes OpenCode compact the session.
  'globex/tiny': { ...model(0.05, 0.2, 16_000), limit: { context: 16_000, output: 1_000 } },
  'globex/mute': { ...model(0.05, 0.2, 32_000), tools: false },
  // OpenCode says 0 for a price it does not know.
  'globex/unpriced': model(0, 0, 32_000),
}

function model(input: number, output: number, context: number): ScriptedModel {
  const round = (usd: number): number => Number(usd.toFixed(6))
  return {
    cost: { input, output, cache_read: round(input / 10), cache_write: round(input * 1.25) },
    limit: { context, output: 16_000 },
  }
}

/** Integers, as tierline's catalog has them. */
export function priceOf({ cost }: ScriptedModel): Price {
  const microUsd = (usd: number): number => Math.round(usd * 1_000_000)
  return {
    inputMicroUsdPerMTok: microUsd(cost.input),
    outputMicroUsdPerMTok: microUsd(cost.output),
    cacheReadMicroUsdPerMTok: microUsd(cost.cache_read),
    cacheWriteMicroUsdPerMTok: microUsd(cost.cache_write),
  }
}

/** The bill for one request, in micro-USD; 0 for a model that is not sold. */
export function billMicroUsd(id: ModelID, usage: ProviderUsage): number {
  const sold = SCRIPTED_MODELS[id]
  if (!sold) return 0
  const { cost } = sold
  // USD per million tokens is micro-USD per token.
  return Math.round(
    (usage.promptTokens - usage.cachedTokens) * cost.input +
      usage.cachedTokens * cost.cache_read +
      usage.outputTokens * cost.output,
  )
}

/** OpenCode's `provider` configuration for these models, served at `url`. */
export function openCodeProviders(url: string): Record<string, unknown> {
  const providers: Record<string, { models: Record<string, unknown> } & Record<string, unknown>> = {}
  for (const [id, { cost, limit, tools = true }] of Object.entries(SCRIPTED_MODELS)) {
    const [providerID = '', modelID = ''] = id.split('/')
    providers[providerID] ??= {
      npm: '@ai-sdk/openai-compatible',
      name: providerID,
      options: { baseURL: `${url}/${providerID}/v1`, apiKey: `key-of-${providerID}` },
      models: {},
    }
    providers[providerID].models[modelID] = {
      name: modelID,
      cost,
      limit,
      tool_call: tools,
      temperature: false,
    }
  }
  return providers
}
