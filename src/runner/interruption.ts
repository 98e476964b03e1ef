/** Why a running task is to stop, first come first served. */
import type { ErrorCode } from '../errors.ts'

/**
 * `cancelled` and `task_timeout` end the task and abort its session; `stop` hands it over and `stale`
 * means that another worker has it: both leave the session alone.
 */
export type Interruption = Extract<ErrorCode, 'cancelled' | 'task_timeout'> | 'stop' | 'stale'

export interface RunSignals {
  /** Aborts when somebody cancels the task. */
  cancel: AbortSignal
  /** Aborts when the worker shuts down. */
  stop: AbortSignal
  /** Calls back when an answer to an ask may be there; gives the function that stops it. */
  onAnswer?(listener: () => void): () => void
}

/** One signal of all that may interrupt a task; its `reason` is an `Interruption`. Call `dispose` at the end. */
export function createInterruption(signals: RunSignals, deadlineAt: number, now: number) {
  const controller = new AbortController()
  const raise = (reason: Interruption) => controller.abort(reason)
  const onCancel = () => raise('cancelled')
  const onStop = () => raise('stop')
  // A timer holds at most 2^31 - 1 ms; a day is the most a timeout may be.
  const timer = setTimeout(() => raise('task_timeout'), Math.max(0, deadlineAt - now))
  signals.cancel.addEventListener('abort', onCancel)
  signals.stop.addEventListener('abort', onStop)
  if (signals.cancel.aborted) onCancel()
  else if (signals.stop.aborted) onStop()

  return {
    signal: controller.signal,
    raise,
    /** `undefined` while nothing interrupts. */
    reason: () => controller.signal.reason as Interruption | undefined,
    dispose() {
      clearTimeout(timer)
      signals.cancel.removeEventListener('abort', onCancel)
      signals.stop.removeEventListener('abort', onStop)
    },
  }
}

export type InterruptionSource = ReturnType<typeof createInterruption>
