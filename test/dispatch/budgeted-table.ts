import type { RoutingTableParts } from '../../src/routing/table.ts'
import { budget } from '../budget/budget.ts'

/** Of the shortest turn; the longest takes ten times that. */
export const TURN_MS = 100
/** Micro-USD that a turn costs, by the price of acme/nano. */
export const TURN_COST = 1_000
/** Turns that there is money for. */
export const ROOM = 10

export const SCOPES = ['global', 'type:lint', 'tier:fast', 'provider:acme', 'model:acme/nano', 'key:ci']

/** One budget of every scope, each with room for as many turns. */
export function budgeted(room: number): Partial<RoutingTableParts> {
  return {
    budgets: SCOPES.map((scope) => budget({ scope, per: 'month', limitMicroUsd: room * TURN_COST })),
  }
}
