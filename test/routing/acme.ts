/** A small world for routing: one catalog, one table. */
import type { CatalogModel, CatalogSnapshot } from '../../src/catalog/catalog.ts'
import { createRoutingTable, type RouteRule, type RoutingTable } from '../../src/routing/table.ts'
import { type ModelID, splitModelID } from '../../src/tasks/model-id.ts'

/** Prices in USD per million tokens; without them the price is unknown. */
export function catalogModel(
  model: ModelID,
  usd: readonly [input: number, output: number] | null = [1, 5],
  overrides: Partial<CatalogModel> = {},
): CatalogModel {
  const micro = (price: number): number => Math.round(price * 1_000_000)
  return {
    model,
    ...splitModelID(model),
    name: model,
    price: usd && {
      inputMicroUsdPerMTok: micro(usd[0]),
      outputMicroUsdPerMTok: micro(usd[1]),
      cacheReadMicroUsdPerMTok: micro(usd[0] / 10),
      cacheWriteMicroUsdPerMTok: micro(usd[0] * 1.25),
    },
    contextTokens: 200_000,
    outputTokens: 32_000,
    tools: true,
    active: true,
    ...overrides,
  }
}

export function catalogOf(
  models: readonly (ModelID | CatalogModel)[],
  defaultModel: ModelID | null = null,
): CatalogSnapshot {
  return {
    models: models.map((model) => (typeof model === 'string' ? catalogModel(model) : model)),
    defaultModel,
    agents: ['build', 'plan'],
    subagents: [],
  }
}

/** Two tiers that share a model, and routes of every kind. */
export function acmeTable(overrides: Partial<RoutingTable> = {}): RoutingTable {
  return createRoutingTable({
    generation: 3,
    source: { kind: 'file', path: '/etc/tierline.yaml' },
    tiers: [
      { name: 'fast', models: ['acme/nano', 'acme/mini'], concurrency: 4 },
      { name: 'balanced', models: ['acme/base'], concurrency: null },
      { name: 'powerful', models: ['acme/big', 'acme/mini', 'acme/gone'], concurrency: 2 },
      { name: 'broken', models: ['acme/gone'], concurrency: null },
    ],
    routes: new Map([
      ['lint', toTier('fast')],
      ['analysis', toTier('powerful')],
      ['lost', toTier('broken')],
      ['translate', toModel('globex/deep')],
      ['summarize', toModel('acme/mini')],
      ['void', toModel('globex/deap')],
    ]),
    default: 'balanced',
    prices: new Map(),
    warnings: [],
    ...overrides,
  })
}

export const acmeCatalog = catalogOf([
  'acme/nano',
  'acme/mini',
  'acme/base',
  'acme/big',
  'globex/deep',
  'globex/fast',
])

export function toTier(tier: string): RouteRule {
  return { tier, model: null, timeoutMs: null, maxCostMicroUsd: null }
}

export function toModel(model: ModelID): RouteRule {
  return { tier: null, model, timeoutMs: null, maxCostMicroUsd: null }
}
