import type { Route, RouteStep } from '../tasks/route.ts'
import { RULE } from './resolve.ts'
import { findRule, whyMatched, whyNot } from './rules.ts'
import type { RoutingRule, RoutingTable } from './table.ts'
import type { TaskFacts } from './task-facts.ts'

/**
 * A route with a step for every rule of the table it was made with, in their order, and why each did or did not
 * match. A route itself has one step at most for all of them, so that its task stays small.
 */
export function withEveryRule(route: Route, table: RoutingTable, facts: TaskFacts): Route {
  const { rules } = table
  if (rules.length === 0) return route
  const { type } = route.requested
  const first = findRule(type, facts, table)?.index
  const told = route.steps.find(({ step }) => step === RULE)
  const every = rules.map((rule, index): RouteStep => {
    if (index === first && told !== undefined) return told
    return { step: RULE, input: `rules.${index}`, outcome: outcomeOf(rule) }
  })
  const at = placeOf(route.steps)
  const others = (steps: RouteStep[]) => steps.filter(({ step }) => step !== RULE)
  return {
    ...route,
    steps: [...others(route.steps.slice(0, at)), ...every, ...others(route.steps.slice(at))],
  }

  function outcomeOf(rule: RoutingRule): string {
    const why = whyNot(rule, type, facts)
    return why === ''
      ? `matches too, after rules.${first}: ${whyMatched(rule, type, facts)}`
      : `does not match: ${why}`
  }
}

/** Where the step that tells of rules stands, or would stand: after what overrules them. */
function placeOf(steps: readonly RouteStep[]): number {
  const told = steps.findIndex(({ step }) => step === RULE)
  if (told !== -1) return told
  const after = steps.findIndex(({ step }) => step !== 'model' && step !== 'tier' && step !== 'queue')
  return after === -1 ? steps.length : after
}
