import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { catalogWarnings } from '../routing/catalog-warnings.ts'
import type { RoutingTable } from '../routing/table.ts'
import { budgetWarnings } from './budget-warnings.ts'

/** All that is said of a table once it is known what the server offers: names first, then money. */
export function tableWarnings(table: RoutingTable, catalog: CatalogSnapshot): string[] {
  return [...catalogWarnings(table, catalog), ...budgetWarnings(table, catalog)]
}
