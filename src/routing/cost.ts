import type { CatalogSnapshot, Price, Rates } from '../catalog/catalog.ts'
import { type ModelID, splitModelID } from '../tasks/model-id.ts'
import type { Usage } from '../tasks/usage.ts'
import { modelsOf } from './catalog-index.ts'

const TOKENS_PER_MTOK = 1_000_000

/**
 * Cost of one request to a model, in whole micro-USD; half of one rounds up, so that many do not drift.
 *
 * Of one request, since the length of its prompt decides on the rates. Reasoning is billed as output. Exact:
 * tokens times price may exceed what a double holds.
 */
export function costMicroUsd(price: Price, usage: Usage): number {
  const rates = ratesFor(price, usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens)
  const scaled =
    usage.inputTokens * rates.inputMicroUsdPerMTok +
    (usage.outputTokens + usage.reasoningTokens) * rates.outputMicroUsdPerMTok +
    usage.cacheReadTokens * rates.cacheReadMicroUsdPerMTok +
    usage.cacheWriteTokens * rates.cacheWriteMicroUsdPerMTok +
    TOKENS_PER_MTOK / 2
  // Below it every step was exact: all of them are whole numbers, and none is negative.
  if (scaled >= Number.MAX_SAFE_INTEGER) return exactly(rates, usage)
  return (scaled - (scaled % TOKENS_PER_MTOK)) / TOKENS_PER_MTOK
}

function exactly(rates: Rates, usage: Usage): number {
  const perMTok = BigInt(TOKENS_PER_MTOK)
  const scaled =
    BigInt(usage.inputTokens) * BigInt(rates.inputMicroUsdPerMTok) +
    (BigInt(usage.outputTokens) + BigInt(usage.reasoningTokens)) * BigInt(rates.outputMicroUsdPerMTok) +
    BigInt(usage.cacheReadTokens) * BigInt(rates.cacheReadMicroUsdPerMTok) +
    BigInt(usage.cacheWriteTokens) * BigInt(rates.cacheWriteMicroUsdPerMTok)
  return Number((scaled + perMTok / 2n) / perMTok)
}

/** The rates of a request whose prompt has so many tokens, cached ones counted. */
export function ratesFor(price: Price, contextTokens: number): Rates {
  return price.bands?.findLast(({ aboveContextTokens }) => contextTokens > aboveContextTokens) ?? price
}

/**
 * The price in force: the override of the model, else of its provider, else the catalog's.
 *
 * `null`: nobody knows it, or there is no override and the catalog was not read yet (`undefined`). An override of 0
 * is known to be free.
 */
export function effectivePrice(
  model: ModelID,
  catalog: CatalogSnapshot | undefined,
  overrides: ReadonlyMap<string, Price>,
): Price | null {
  return (
    overrides.get(model) ??
    overrides.get(splitModelID(model).providerID) ??
    (catalog && modelsOf(catalog).get(model)?.price) ??
    null
  )
}

/** What one request costs, micro-USD: `reportedMicroUsd`, what the server says, only where nobody knows a price. */
export function priceOf(
  { model, usage, costMicroUsd: reportedMicroUsd }: { model: ModelID; usage: Usage; costMicroUsd: number },
  catalog: CatalogSnapshot | undefined,
  overrides: ReadonlyMap<string, Price>,
): number {
  const price = effectivePrice(model, catalog, overrides)
  return price === null ? reportedMicroUsd : costMicroUsd(price, usage)
}

/** Price of a typical turn, in micro-USD per million tokens: three parts input, one part output. */
export function blendedMicroUsdPerMTok(price: Price): number {
  return (3 * price.inputMicroUsdPerMTok + price.outputMicroUsdPerMTok) / 4
}
