/** The model is chosen when a task starts: the table or the catalog may have changed while it waited. */
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import { TierlineError } from '../errors.ts'
import type { Route } from '../tasks/route.ts'
import { isPinned, type RouteRequest, resolveRoute } from './resolve.ts'
import type { RoutingTable } from './table.ts'
import { NO_FACTS, type TaskFacts } from './task-facts.ts'

/**
 * The route of a task that starts now, by the same facts. Its tier stays, since that is its queue; model and
 * chain are those of the table in force. Where that table leads nowhere, the route of the submit holds.
 */
export function resolveAtDispatch(
  route: Route,
  table: RoutingTable,
  catalog: CatalogSnapshot,
  facts: TaskFacts = NO_FACTS,
): Route {
  const again = tryResolve(route.requested, table, catalog, facts)
  if (again?.tier === route.tier) return again
  if (route.tier === null || isPinned(route)) return route
  const inTier = tryResolve({ tier: route.tier }, table, catalog, facts)
  return inTier ? { ...inTier, requested: route.requested } : route
}

function tryResolve(
  request: RouteRequest,
  table: RoutingTable,
  catalog: CatalogSnapshot,
  facts: TaskFacts,
): Route | undefined {
  try {
    return resolveRoute(request, table, catalog, facts)
  } catch (error) {
    if (error instanceof TierlineError) return undefined
    throw error
  }
}
