import { contradictions, type PermissionRule, type Permissions, rulesOf } from '../tasks/permissions.ts'
import type { RoutingTable } from './table.ts'
import { ruleAndRoute } from './table-limits.ts'
import type { TaskFacts } from './task-facts.ts'

/** What configuration says to the agents of a task: in general, then of its route, then of the rule it matches. */
export function configuredRules(
  general: Permissions,
  table: Pick<RoutingTable, 'rules' | 'conditions' | 'routes'>,
  type: string | undefined,
  facts: TaskFacts,
): PermissionRule[] {
  const { rule, route } = ruleAndRoute(type, facts, table)
  return [general, route?.permissions, rule?.permissions].flatMap((said) => rulesOf(said ?? {}))
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
