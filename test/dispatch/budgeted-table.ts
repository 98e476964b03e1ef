import type { RoutingTableParts } from '../../src/routing/table.ts'
import { budget } from '../budget/budget.ts'

/** Of the shortest step; the longest takes ten times that. */
export const STEP_MS = 50
/** Of each turn. Each step tells what the turn has cost so far, so all but the last is told again. */
export const STEPS = 2
/** Micro-USD, by the price of acme/nano. */
export const STEP_COST = 500
export const TURN_COST = STEPS * STEP_COST
/** Turns that there is money for. */
export const ROOM = 10

export const SCOPES = ['global', 'type:lint', 'tier:fast', 'provider:acme', 'model:acme/nano', 'key:ci']

/** One budget of every scope, each with room for as many turns. */
export function budgeted(room: number): Partial<RoutingTableParts> {
  return {
    budgets: SCOPES.map((scope) => budget({ scope, per: 'month', limitMicroUsd: room * TURN_COST })),
  }
}
