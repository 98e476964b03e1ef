/** Tiers made from what the server offers, for those who wrote no file. */
import type { CatalogModel, CatalogSnapshot, Price } from '../catalog/catalog.ts'
import type { ModelID } from '../tasks/model-id.ts'
import { BUILTIN_DEFAULT, BUILTIN_ROUTES, BUILTIN_TIERS, type BuiltinTier } from './builtin-routes.ts'
import { modelsOf } from './catalog-index.ts'
import { blendedMicroUsdPerMTok } from './cost.ts'
import type { RouteRule, RoutingTableParts, Tier } from './table.ts'

/** A longer chain is never walked to its end, and nobody wants to read it. */
const MAX_TIER_MODELS = 5

/** Where the server's default has no price: 15 USD per million tokens, above today's large models. */
const CEILING_WITHOUT_DEFAULT = 15_000_000

/**
 * Builds the table of a server without a file: built-in routes, tiers by price.
 *
 * Every tier has a model as soon as the server offers any. Nothing dearer than the server's own default
 * model enters: else the dearest third would pick models of 150 USD that nobody asked for.
 */
export function deriveTable(catalog: CatalogSnapshot, generation: number): RoutingTableParts {
  const { chains, warnings } = deriveTiers(catalog)
  return {
    generation,
    source: { kind: 'derived', path: null },
    tiers: BUILTIN_TIERS.map((name): Tier => ({ name, models: chains[name], concurrency: null })),
    routes: builtinRules(),
    default: BUILTIN_DEFAULT,
    prices: new Map(),
    warnings,
  }
}

type Chains = Readonly<Record<BuiltinTier, readonly ModelID[]>>
type Priced = CatalogModel & { price: Price }

function deriveTiers(catalog: CatalogSnapshot): { chains: Chains; warnings: string[] } {
  const preferred = catalog.defaultModel === null ? undefined : modelsOf(catalog).get(catalog.defaultModel)
  const ceiling = preferred?.price ? blendedMicroUsdPerMTok(preferred.price) : CEILING_WITHOUT_DEFAULT
  const affordable = catalog.models.filter(({ price }) => !price || blendedMicroUsdPerMTok(price) <= ceiling)
  const able = affordable.filter(({ tools, active }) => tools && active)
  const priced = able.filter((model): model is Priced => model.price !== null)
  if (priced.length > 0) return { chains: chainsByPrice(priced), warnings: [] }

  // Nothing to rank by: all tiers share what there is, the server's own choice first.
  const fallbacks: readonly [readonly CatalogModel[], string][] = [
    [able, 'No model has a known price: all tiers share the same models'],
    [
      affordable.filter(({ active }) => active),
      'No model is known to call tools: all tiers share what there is',
    ],
    [affordable, 'All models are marked deprecated or alpha: all tiers share them'],
    [catalog.models, 'All models are very dear, and the server has no priced default: all tiers share them'],
  ]
  const [models, warning] = fallbacks.find(([some]) => some.length > 0) ?? [
    [],
    'The OpenCode server offers no model: connect a provider with "opencode auth login"',
  ]
  return { chains: sharedChains(models, catalog.defaultModel), warnings: [warning] }
}

/** Thirds by blended price; of two models the middle tier has both, of one every tier has it. */
function chainsByPrice(models: readonly Priced[]): Chains {
  const sorted = [...models].sort((a, b) => blendedOf(a) - blendedOf(b) || byID(a, b))
  const third = Math.max(1, Math.floor(sorted.length / 3))
  const between = sorted.slice(third, -third)
  const middle = between.length > 0 ? between : sorted
  const median = medianOf(sorted.map(blendedOf))
  const fromMedian = (model: Priced): number => Math.abs(blendedOf(model) - median)
  return {
    fast: idsOf(sorted.slice(0, third)),
    // Stable sort: of two as near, the cheaper one comes first.
    balanced: idsOf([...middle].sort((a, b) => fromMedian(a) - fromMedian(b))),
    powerful: idsOf(sorted.slice(-third).sort((a, b) => blendedOf(b) - blendedOf(a))),
  }
}

function sharedChains(models: readonly CatalogModel[], preferred: ModelID | null): Chains {
  const first = ({ model }: CatalogModel): number => (model === preferred ? 0 : 1)
  const chain = idsOf([...models].sort((a, b) => first(a) - first(b) || byID(a, b)))
  return { fast: chain, balanced: chain, powerful: chain }
}

function builtinRules(): ReadonlyMap<string, RouteRule> {
  return new Map(
    BUILTIN_TIERS.flatMap((tier) =>
      BUILTIN_ROUTES[tier].map((type): [string, RouteRule] => [
        type,
        { tier, model: null, timeoutMs: null, maxCostMicroUsd: null },
      ]),
    ),
  )
}

function idsOf(models: readonly CatalogModel[]): ModelID[] {
  return models.slice(0, MAX_TIER_MODELS).map(({ model }) => model)
}

function blendedOf({ price }: Priced): number {
  return blendedMicroUsdPerMTok(price)
}

function medianOf(sorted: readonly number[]): number {
  const half = sorted.length / 2
  return (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2
}

function byID(a: CatalogModel, b: CatalogModel): number {
  return a.model < b.model ? -1 : a.model > b.model ? 1 : 0
}
