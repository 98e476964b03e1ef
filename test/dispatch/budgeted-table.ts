import type { RoutingTableParts } from '../../src/routing/table.ts'
import { budget } from '../budget/budget.ts'

/** Hash: message → micro-USD, what a provider would bill. */
export const BILL = 'bill'
export const TURN_MS = 150
/** Micro-USD that a turn costs, by the price of acme/nano. */
export const TURN_COST = 1_000
/** Turns that there is money for. */
export const ROOM = 10

export const SCOPES = ['global', 'type:lint', 'tier:fast', 'provider:acme', 'model:acme/nano', 'key:ci']

/** One budget of every scope, each with room for as many. */
export const BUDGETED: Partial<RoutingTableParts> = {
  budgets: SCOPES.map((scope) => budget({ scope, per: 'month', limitMicroUsd: ROOM * TURN_COST })),
}
