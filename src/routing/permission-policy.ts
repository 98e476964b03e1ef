import { contradictions, type PermissionRule, type Permissions, rulesOf } from '../tasks/permissions.ts'
import type { RoutingTable } from './table.ts'

/** What configuration says to the agents of a task: in general, then of its route. */
export function configuredRules(
  general: Permissions,
  { routes }: Pick<RoutingTable, 'routes'>,
  type: string | null | undefined,
): PermissionRule[] {
  const route = type == null ? undefined : routes.get(type)
  return [...rulesOf(general), ...rulesOf(route?.permissions ?? {})]
}

/**
 * The same, then what the task itself says. Of a permission that the configuration denies something of, a task may
 * say nothing but `deny`: what else it says of that is left out.
 */
export function rulesForTask(
  configured: readonly PermissionRule[],
  wanted: Permissions | undefined,
): PermissionRule[] {
  if (wanted === undefined) return [...configured]
  const refused = contradictions(configured, wanted)
  return [...configured, ...rulesOf(wanted).filter(({ permission }) => !refused.includes(permission))]
}
