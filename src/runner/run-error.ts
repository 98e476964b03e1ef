import type { TurnCut } from '../records/task-record.ts'
import type { TurnError } from '../sessions/backend.ts'

/** Why a turn failed: as its server says, or by a limit of ours that cut it off. */
export type RunError = Omit<TurnError, 'code'> & {
  code: TurnError['code'] | 'too_many_steps' | 'stream_silent'
}

export function errorOfCut({ code, message, retryAfterMs }: TurnCut): RunError {
  return {
    code,
    message,
    retryable: code !== 'too_many_steps',
    httpStatus: undefined,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  }
}
