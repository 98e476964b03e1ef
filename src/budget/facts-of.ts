import type { BudgetFacts } from '../redis/quotas.ts'
import type { Budget } from '../routing/table.ts'
import { budgetName } from './budgets-of.ts'
import { type WindowOf, windowStarts } from './windows.ts'

const facts = new WeakMap<Budget, BudgetFacts>()

/** A budget as the scripts take it, which is worked out once. */
export function factsOf(budget: Budget): BudgetFacts {
  let known = facts.get(budget)
  if (known === undefined) {
    known = {
      name: budgetName(budget),
      limit: budget.limitMicroUsd,
      waits: budget.onExceed === 'queue',
      starts: startsOf(budget),
    }
    facts.set(budget, known)
  }
  return known
}

function startsOf({ per, timeZone }: WindowOf): BudgetFacts['starts'] {
  let starts: readonly number[] | undefined
  return (at) => {
    if (starts === undefined || at < starts[1]! || at >= starts[2]!)
      starts = windowStarts({ per, timeZone }, at)
    return starts
  }
}
