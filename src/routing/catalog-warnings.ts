import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { modelsOf } from './catalog-index.ts'
import { nearestHint, nearestNames } from './nearest.ts'
import type { RoutingTable } from './table.ts'

/**
 * What the table names and the server does not offer, a sentence each.
 *
 * Warnings and not errors: what a server offers changes while the table stands.
 */
export function catalogWarnings(table: RoutingTable, catalog: CatalogSnapshot): string[] {
  const named: { where: string; model: string }[] = [
    ...table.tiers.flatMap(({ name, models }) =>
      models.map((model) => ({ where: `tiers.${name}.models`, model })),
    ),
    ...[...table.routes].flatMap(([type, { model }]) => (model ? [{ where: `routes.${type}`, model }] : [])),
  ]
  const offered: ReadonlyMap<string, unknown> = modelsOf(catalog)
  return named
    .filter(({ model }) => !offered.has(model))
    .map(({ where, model }) => {
      const nearest = nearestHint(nearestNames(model, offered.keys()))
      return `${where}: "${model}" is not offered by the OpenCode server${nearest}`
    })
}
