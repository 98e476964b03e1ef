/** Whether a budget that sends tasks to a cheaper tier can ever find one. Pure. */
import type { CatalogSnapshot, Price } from '../catalog/catalog.ts'
import type { ModelID } from '../tasks/model-id.ts'
import { partsOfScope, tiersOfScope } from './budget-scope.ts'
import { modelsOf } from './catalog-index.ts'
import { canTake, roomTokens } from './context-fit.ts'
import { blendedMicroUsdPerMTok, effectivePrice } from './cost.ts'
import type { RoutingTable, Tier } from './table.ts'

export type Tiers = readonly Pick<Tier, 'name' | 'models'>[]

/**
 * By the file alone: a price that it does not give may be anything. `from`: where the tasks are that may be moved.
 */
export function mayHaveCheaper(
  scope: string,
  tiers: Tiers,
  prices: ReadonlyMap<string, Price>,
  from: Tiers = tiers,
): boolean {
  const priceOf = (model: ModelID) => blended(model, undefined, prices)
  const mayCostLess = (model: ModelID, than: ModelID) => {
    const [price, other] = [priceOf(model), priceOf(than)]
    if (model === than || other === 0) return false
    return price === undefined || other === undefined || price < other
  }
  return from.some((tier) =>
    tier.models.some(
      (model) =>
        isAbout(scope, tier.name, model) &&
        tiers.some(({ name, models }) => name !== tier.name && models.some((to) => mayCostLess(to, model))),
    ),
  )
}

/** By the prices that are known now, for a prompt of whichever length: as `cheaperRoute` looks for it. */
export function hasCheaper(scope: string, table: RoutingTable, catalog: CatalogSnapshot): boolean {
  const offered = modelsOf(catalog)
  const rooms = table.tiers
    .flatMap(({ models }) => models.map((model) => offered.get(model)))
    .map((model) => (model && roomTokens(model)) ?? 0)
  // The first model of a tier that takes a prompt runs it, and that changes only beyond what one of them takes.
  return [...new Set([0, ...rooms.map((room) => room + 1)])].some((tokens) => {
    const taking = (tier: Tier) =>
      tier.models.find((model) => offered.has(model) && canTake(model, tokens, catalog))
    return tiersOfScope(scope, table).some((tier) => {
      const model = taking(tier)
      if (model === undefined || !isAbout(scope, tier.name, model)) return false
      const present = blended(model, catalog, table.prices) ?? Number.POSITIVE_INFINITY
      return table.tiers.some((other) => {
        const to = taking(other)
        const price = to && blended(to, catalog, table.prices)
        return price !== undefined && price < present
      })
    })
  })
}

/** Whether any task of such a tier and model may be in the scope. */
export function isListed(scope: string, tiers: Tiers): boolean {
  return tiers.some(({ name, models }) => models.some((model) => isAbout(scope, name, model)))
}

/** Of a tier and a model: whoever submits it, and as what, may be anybody and anything. */
function isAbout(scope: string, tier: string, model: ModelID): boolean {
  const { kind, name } = partsOfScope(scope)
  if (kind === 'tier') return tier === name
  if (kind === 'model') return model === name
  return kind !== 'provider' || model.startsWith(`${name}/`)
}

function blended(
  model: ModelID,
  catalog: CatalogSnapshot | undefined,
  prices: ReadonlyMap<string, Price>,
): number | undefined {
  const price = effectivePrice(model, catalog, prices)
  return price === null ? undefined : blendedMicroUsdPerMTok(price)
}
