import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { TierlineError } from '../errors.ts'
import { problemOf } from '../tasks/problem.ts'
import type { Explanation } from '../tasks/views.ts'
import { type RouteRequest, resolveRoute } from './resolve.ts'
import type { RoutingTable } from './table.ts'

/** What `resolveRoute` would decide, by asking it: the route with its steps, or the problem instead. */
export function explainRoute(
  request: RouteRequest,
  table: RoutingTable,
  catalog: CatalogSnapshot,
): Explanation {
  try {
    return { route: resolveRoute(request, table, catalog), problem: null }
  } catch (error) {
    if (!(error instanceof TierlineError)) throw error
    return { route: null, problem: problemOf(error) }
  }
}
