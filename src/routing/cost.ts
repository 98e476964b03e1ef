import type { CatalogSnapshot, Price } from '../catalog/catalog.ts'
import { type ModelID, splitModelID } from '../tasks/model-id.ts'
import type { Usage } from '../tasks/usage.ts'
import { modelsOf } from './catalog-index.ts'

const TOKENS_PER_MTOK = 1_000_000n

/**
 * Cost of some tokens, in whole micro-USD; half of one rounds up, so that many turns do not drift.
 *
 * Reasoning is billed as output. Exact: tokens times price may exceed what a double holds.
 */
export function costMicroUsd(price: Price, usage: Usage): number {
  const scaled =
    BigInt(usage.inputTokens) * BigInt(price.inputMicroUsdPerMTok) +
    (BigInt(usage.outputTokens) + BigInt(usage.reasoningTokens)) * BigInt(price.outputMicroUsdPerMTok) +
    BigInt(usage.cacheReadTokens) * BigInt(price.cacheReadMicroUsdPerMTok) +
    BigInt(usage.cacheWriteTokens) * BigInt(price.cacheWriteMicroUsdPerMTok)
  return Number((scaled + TOKENS_PER_MTOK / 2n) / TOKENS_PER_MTOK)
}

/**
 * The price in force: the override of the model, else of its provider, else the catalog's.
 *
 * `null`: nobody knows it. An override of 0 is known to be free.
 */
export function effectivePrice(
  model: ModelID,
  catalog: CatalogSnapshot,
  overrides: ReadonlyMap<string, Price>,
): Price | null {
  return (
    overrides.get(model) ??
    overrides.get(splitModelID(model).providerID) ??
    modelsOf(catalog).get(model)?.price ??
    null
  )
}

/** Price of a typical turn, in micro-USD per million tokens: three parts input, one part output. */
export function blendedMicroUsdPerMTok(price: Price): number {
  return (3 * price.inputMicroUsdPerMTok + price.outputMicroUsdPerMTok) / 4
}
