import type { Budget } from '../../src/routing/table.ts'

/** A budget for all tasks of a day, unless the test says otherwise. */
export function budget(more: Partial<Budget> = {}): Budget {
  return {
    scope: 'global',
    per: 'day',
    limitMicroUsd: 1_000,
    timeZone: 'UTC',
    onExceed: 'reject',
    downgradeAtPercent: null,
    onUnknownPrice: 'reject',
    place: 'budgets.0',
    ...more,
  }
}
