/** What the table says of a task beside its tier and model, which holds also where the task names its own. */
import { findRule } from './rules.ts'
import type { RouteLimits, RouteRule, RoutingTable } from './table.ts'
import type { TaskFacts } from './task-facts.ts'

type Rules = Pick<RoutingTable, 'rules' | 'conditions' | 'routes'>

const NO_LIMITS: RouteLimits = { timeoutMs: null, maxCostMicroUsd: null }

/** The limits of the first rule that matches; where it says nothing, those of the route of the type. */
export function tableLimits(type: string | undefined, facts: TaskFacts, table: Rules): RouteLimits {
  const { rule, route } = ruleAndRoute(type, facts, table)
  if (rule === undefined || route === undefined) return rule ?? route ?? NO_LIMITS
  return {
    ...route,
    ...rule,
    timeoutMs: rule.timeoutMs ?? route.timeoutMs,
    maxCostMicroUsd: rule.maxCostMicroUsd ?? route.maxCostMicroUsd,
  }
}

/** `rule`: the first that matches. `undefined`: there is none. */
export function ruleAndRoute(
  type: string | undefined,
  facts: TaskFacts,
  table: Rules,
): { rule: RouteRule | undefined; route: RouteRule | undefined } {
  return {
    rule: table.rules.length === 0 ? undefined : findRule(type, facts, table)?.rule,
    route: type === undefined ? undefined : table.routes.get(type),
  }
}
