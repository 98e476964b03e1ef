import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { splitModelID } from '../tasks/model-id.ts'
import { nearestHint, nearestNames } from '../tasks/nearest.ts'
import { partsOfScope } from './budget-scope.ts'
import { modelsOf } from './catalog-index.ts'
import type { RoutingTable } from './table.ts'

/**
 * What the table names and the server does not offer, a sentence each.
 *
 * Warnings and not errors: what a server offers changes while the table stands.
 */
export function catalogWarnings(table: RoutingTable, catalog: CatalogSnapshot): string[] {
  const models = modelsOf(catalog)
  const providers = new Set([...models.keys()].map((model) => splitModelID(model).providerID))
  return namesIn(table).flatMap(({ where, name }) => {
    const offered: ReadonlyMap<string, unknown> | ReadonlySet<string> = name.includes('/')
      ? models
      : providers
    if (offered.has(name)) return []
    const nearest = nearestHint(nearestNames(name, offered.keys()))
    return [`${where}: "${name}" is not offered by the OpenCode server${nearest}`]
  })
}

/** Every model and provider, with the place that names it. */
function namesIn({
  tiers,
  rules,
  routes,
  prices,
  caps,
  budgets,
}: RoutingTable): { where: string; name: string }[] {
  const limited = [...(caps?.keys() ?? [])].flatMap((cap) => nameOf(cap))
  return [
    ...tiers.flatMap(({ name, models }) =>
      models.map((model) => ({ where: `tiers.${name}.models`, name: model })),
    ),
    ...rules.flatMap(({ model }, index) => (model ? [{ where: `rules.${index}`, name: model }] : [])),
    ...[...routes].flatMap(([type, { model }]) => (model ? [{ where: `routes.${type}`, name: model }] : [])),
    ...[...new Set([...prices.keys(), ...limited])].map((name) => ({ where: 'models', name })),
    ...budgets.flatMap(({ scope, place }) => nameOf(scope).map((name) => ({ where: place, name }))),
  ]
}

/** `model:acme/nano` → `acme/nano`; none where it is about something else. */
function nameOf(scope: string): string[] {
  const { kind, name } = partsOfScope(scope)
  return kind === 'model' || kind === 'provider' ? [name] : []
}
