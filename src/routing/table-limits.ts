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

/** The most a task may cost, micro-USD: its own limit, else that of its rule or route. `undefined`: there is none. */
export function maxCostOf(
  { maxCostUsd }: { readonly maxCostUsd?: number | undefined },
  { maxCostMicroUsd }: Pick<RouteLimits, 'maxCostMicroUsd'>,
): number | undefined {
  return maxCostUsd === undefined ? (maxCostMicroUsd ?? undefined) : Math.round(maxCostUsd * 1_000_000)
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
