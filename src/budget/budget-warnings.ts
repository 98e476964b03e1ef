/** What the prices of the models say of the budgets of a table. Pure. */
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { modelsOfScope, tiersOfScope } from '../routing/budget-scope.ts'
import { modelsOf } from '../routing/catalog-index.ts'
import { hasCheaper, mayHaveCheaper } from '../routing/cheaper-tiers.ts'
import { effectivePrice } from '../routing/cost.ts'
import type { Budget, RoutingTable } from '../routing/table.ts'
import type { ModelID } from '../tasks/model-id.ts'
import { estimateStep, OWN_TOKENS, outputLimitOf } from './estimate.ts'
import { usd } from './on-refusal.ts'

/**
 * Sentences, each with the line of its budget. Warnings and not errors: prices change while the table stands. Models
 * that the server does not offer are left out.
 */
export function budgetWarnings(table: RoutingTable, catalog: CatalogSnapshot): string[] {
  return table.budgets.flatMap((budget) =>
    [...aboutPrices(budget, table, catalog), ...aboutTiers(budget, table, catalog)].map(
      (warning) => `${budget.place}: ${warning}`,
    ),
  )
}

function aboutPrices(
  { scope, limitMicroUsd, onUnknownPrice }: Budget,
  table: RoutingTable,
  catalog: CatalogSnapshot,
): string[] {
  const offered = modelsOf(catalog)
  const models = modelsOfScope(scope, table).filter((model) => offered.has(model))
  const unknown: ModelID[] = []
  const steps: { model: ModelID; stepMicroUsd: number }[] = []
  for (const model of models) {
    const price = effectivePrice(model, catalog, table.prices)
    if (price === null) unknown.push(model)
    else {
      const output = outputLimitOf(offered.get(model))
      steps.push({ model, ...estimateStep(price, OWN_TOKENS, output) })
    }
  }
  const warnings: string[] = []
  if (unknown.length > 0 && onUnknownPrice === 'reject')
    warnings.push(
      `refuses tasks on ${named(unknown)}: nobody knows a price; give it one in "models", or say onUnknownPrice: allow`,
    )
  const dearer = steps
    .filter(({ stepMicroUsd }) => stepMicroUsd > limitMicroUsd)
    .sort((a, b) => b.stepMicroUsd - a.stepMicroUsd)
  // A limit of nothing is told of by the file itself.
  if (limitMicroUsd > 0 && dearer.length > 0) {
    const [{ model, stepMicroUsd }, ...others] = dearer as [(typeof dearer)[0], ...typeof dearer]
    const more = others.length === 0 ? '' : `, and than one of ${others.length} more models`
    warnings.push(
      `limitUsd is less than one step of ${model} may cost (${usd(stepMicroUsd)})${more}: one task at a time, which may spend more`,
    )
  }
  if (unknown.length === 0 && steps.length > 0 && steps.every(({ stepMicroUsd }) => stepMicroUsd === 0))
    warnings.push(`counts nothing: ${named(models)} cost${models.length === 1 ? 's' : ''} nothing`)
  return warnings
}

function aboutTiers({ scope, onExceed }: Budget, table: RoutingTable, catalog: CatalogSnapshot): string[] {
  if (onExceed !== 'downgrade' || hasCheaper(scope, table, catalog)) return []
  // What the file alone can tell it has told.
  if (!mayHaveCheaper(scope, table.tiers, table.prices, tiersOfScope(scope, table))) return []
  return ['onExceed: downgrade finds no cheaper tier, by the prices that are known now: it refuses instead']
}

/** The first few of them. */
function named(models: readonly ModelID[]): string {
  const [first, second, ...more] = models
  if (second === undefined) return first!
  return more.length === 0 ? `${first} and ${second}` : `${first}, ${second} and ${more.length} more`
}
