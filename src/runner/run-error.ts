import type { BudgetFigures } from '../errors.ts'
import type { TurnCut } from '../records/task-record.ts'
import type { TurnError } from '../sessions/backend.ts'

/** Why a turn failed: as its server says, or by a limit of ours that cut it off. */
export type RunError = Omit<TurnError, 'code'> & {
  code: TurnError['code'] | 'too_many_steps' | 'stream_silent' | 'budget_exceeded'
  /** Of `budget_exceeded`, unless it is the task's own limit. */
  budget?: BudgetFigures
}

export function errorOfCut({ code, message, retryAfterMs, budget }: TurnCut): RunError {
  // A budget may be full again; the limit of the task stays what it is.
  const isMoneyBack = budget !== undefined && budget.resetAt !== null
  return {
    code,
    message,
    retryable: code === 'budget_exceeded' ? isMoneyBack : code !== 'too_many_steps',
    httpStatus: undefined,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(budget && { budget }),
  }
}
