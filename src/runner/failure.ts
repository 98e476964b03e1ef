import { ERRORS, TierlineError } from '../errors.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { TaskFailure } from '../tasks/task.ts'

/** Why a task did not end well, where no provider is to blame. */
export function failure(
  code: 'cancelled' | 'outcome_uncertain' | 'queue_timeout' | 'task_timeout' | 'turn_aborted',
  message: string,
): TaskFailure {
  return { code, message, retryable: ERRORS[code].retryable }
}

/** A message was sent, and its server could not be asked what became of it. */
export function outcomeUncertain(server: string, seconds: number): TaskFailure {
  const why = `its ${seconds} s are over and the OpenCode server "${server}" cannot be asked`
  return failure('outcome_uncertain', `Cannot tell what became of the message: ${why}; it may still run`)
}

/** A task that was not started in time. */
export function queueTimeout(queueTimeoutMs: number): TaskFailure {
  const seconds = Math.round(queueTimeoutMs / 1000)
  return failure('queue_timeout', `Cannot start the task: it has waited for more than ${seconds} s`)
}

/** An error of ours keeps its words. @throws any other: that is a mistake in the code, not an end of the task. */
export function failureOf(error: unknown, model: ModelID): TaskFailure {
  if (!(error instanceof TierlineError)) throw error
  const { code, message, retryable, httpStatus, budget } = error
  return { code, message, retryable, model, ...(httpStatus && { httpStatus }), ...(budget && { budget }) }
}
