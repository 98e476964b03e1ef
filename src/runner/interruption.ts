/** Why a running task is to stop, first come first served. */
import type { ErrorCode } from '../errors.ts'
import type { Write, WriteResult } from '../records/record-store.ts'

/**
 * `cancelled` and `task_timeout` end the task and abort its session; `stop` hands it over and `stale`
 * means that another worker has it: both leave the session alone.
 */
export type Interruption = Extract<ErrorCode, 'cancelled' | 'task_timeout'> | 'stop' | 'stale'

export interface RunSignals {
  /** Aborted with `cancelled` when somebody cancels the task, with `stop` when the worker shuts down. */
  interrupt: AbortController
  /** Calls back when an answer to an ask may be there; gives the function that stops it. */
  onAnswer?(listener: () => void): () => void
  /** Writes the end of the task, and ends its delivery in the same step. Absent: one after the other. */
  end?(write: Write): Promise<WriteResult>
}

/** What may interrupt a task, its deadline too; the `reason` of `signal` says what. Call `dispose` at the end. */
export function createInterruption({ interrupt }: RunSignals, deadlineAt: number, now: number) {
  const raise = (reason: Interruption) => interrupt.abort(reason)
  // A timer holds at most 2^31 - 1 ms; a day is the most a timeout may be.
  const timer = setTimeout(() => raise('task_timeout'), Math.max(0, deadlineAt - now))
  const { signal } = interrupt

  return {
    signal,
    raise,
    /** `undefined` while nothing interrupts. */
    reason: () => signal.reason as Interruption | undefined,
    dispose: () => clearTimeout(timer),
  }
}

export type InterruptionSource = ReturnType<typeof createInterruption>
