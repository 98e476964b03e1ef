/** What is told of models, routes and routing decisions. Pure but for what it is given. */
import type { CatalogSnapshot, Price } from '../catalog/catalog.ts'
import { effectivePrice } from '../routing/cost.ts'
import type { RoutingRule, RoutingTable } from '../routing/table.ts'
import type { ModelView, RoutesView, RuleView } from '../tasks/views.ts'

/** Every model of the catalog, with its tiers, the price in force and whether it cools down; those of a tier first, in its order. */
export function viewModels(
  catalog: CatalogSnapshot,
  table: RoutingTable,
  cooling: ReadonlyMap<string, number>,
): ModelView[] {
  const views = catalog.models.map(
    (model): ModelView => ({
      model: model.model,
      providerID: model.providerID,
      modelID: model.modelID,
      name: model.name,
      tiers: table.tiers.filter(({ models }) => models.includes(model.model)).map(({ name }) => name),
      price: viewPrice(effectivePrice(model.model, catalog, table.prices)),
      contextTokens: model.contextTokens,
      outputTokens: model.outputTokens,
      tools: model.tools,
      state: cooling.has(model.model) ? 'cooling' : 'ok',
      coolingUntil: cooling.get(model.model) ?? null,
    }),
  )
  const known = new Set(catalog.models.map(({ model }) => model))
  const unknown = new Set(table.tiers.flatMap(({ models }) => models).filter((model) => !known.has(model)))
  for (const model of unknown) {
    const slash = model.indexOf('/')
    views.push({
      model,
      providerID: model.slice(0, slash),
      modelID: model.slice(slash + 1),
      name: model,
      tiers: table.tiers.filter(({ models }) => models.includes(model)).map(({ name }) => name),
      price: viewPrice(effectivePrice(model, catalog, table.prices)),
      contextTokens: 0,
      outputTokens: 0,
      tools: false,
      state: 'unknown',
      coolingUntil: null,
    })
  }
  return views.sort((a, b) => Number(b.tiers.length > 0) - Number(a.tiers.length > 0))
}

function viewPrice(price: Price | null): ModelView['price'] {
  return price && { ...price, bands: price.bands && [...price.bands] }
}

export function viewRoutes(
  table: RoutingTable,
  paused: ReadonlySet<string>,
  warnings: readonly string[],
): RoutesView {
  return {
    generation: table.generation,
    source: { ...table.source },
    tiers: table.tiers.map(({ name, models, concurrency }) => ({
      tier: name,
      models: [...models],
      concurrency,
      paused: paused.has(name),
    })),
    rules: table.rules.map(viewRule),
    routes: [...table.routes].map(([type, { tier, model }]) => ({ type, tier, model })),
    default: table.default,
    warnings: [...warnings],
  }
}

function viewRule({ when, tier, model }: RoutingRule): RuleView {
  const { types, promptTokens, directories, keys } = when
  return {
    when: {
      ...(types && { type: [...types] }),
      ...(promptTokens && { promptTokens: { ...promptTokens } }),
      ...(directories && { directory: [...directories] }),
      ...(keys && { key: [...keys] }),
    },
    tier,
    model,
  }
}
