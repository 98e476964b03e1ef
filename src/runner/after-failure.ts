import type { Checkpoint, TaskRecord } from '../records/task-record.ts'
import { messagesOf } from '../tasks/input.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { TaskFailure } from '../tasks/task.ts'
import type { RetryPolicy } from './retry-policy.ts'
import { decide, ruleFor } from './retry-policy.ts'
import type { RunError } from './run-error.ts'
import type { Failing } from './turn-guard.ts'

export interface AfterFailureOptions {
  record: TaskRecord
  /** Of the turn that failed. */
  checkpoint: Checkpoint
  error: RunError
  failing: Failing
  /** The model that failed, as its server reports it. */
  model: ModelID
  /** The models this task may use, most wanted first. */
  models: readonly ModelID[]
  policy: RetryPolicy
  isCooling(model: ModelID): boolean
  /** The turn was to show whether a model that cooled is well again. */
  isProbe: boolean
  retryWaitMs: number
  deadlineAt: number
  now: number
}

/**
 * How a task goes on whose turn has failed. `checkpoint` is that of the next paid try. `coolMs`: the model is to be
 * kept from others, and this is what its provider asked to wait.
 */
export type AfterFailure = { coolMs: number | undefined } & (
  | { action: 'same'; checkpoint: Checkpoint; delayMs: number }
  | { action: 'next'; checkpoint: Checkpoint; reason: string }
  | { action: 'final'; error: TaskFailure }
)

/** Pure. What an error means stands in `RETRY_TABLE`. */
export function afterFailure(options: AfterFailureOptions): AfterFailure {
  const { record, checkpoint, error, failing, models, policy, retryWaitMs, deadlineAt, now } = options
  const { index, model } = checkpoint
  const tries = (checkpoint.retry?.tries ?? 0) + 1
  const givenUp = checkpoint.retry?.givenUp ?? []
  const since = failing.since ?? now
  const next = nextModel(record, checkpoint, models, options.isCooling)
  const { retryAfterMs = 0 } = error
  const rule = ruleFor(error)
  const decision = decide(
    error,
    {
      tries,
      requests: Math.max(1, failing.requests),
      hasNext: next !== undefined,
      waitMsLeft: Math.min(since + retryWaitMs, deadlineAt) - now,
    },
    policy,
  )
  const isGivenUp = decision.action !== 'same' || retryAfterMs > 0 || options.isProbe
  const coolMs = rule.cools && isGivenUp ? retryAfterMs : undefined
  const paidTry = { index, try: checkpoint.try + 1 }
  switch (decision.action) {
    case 'same': {
      const retry = { tries, since, isDue: true, givenUp } as const
      return { action: 'same', checkpoint: { ...paidTry, model, retry }, delayMs: decision.delayMs, coolMs }
    }
    case 'next': {
      const retry = { tries: 0, since, isDue: true, givenUp: [...givenUp, model] } as const
      const reason = `${model}: ${rule.name}: ${error.message}`
      return { action: 'next', checkpoint: { ...paidTry, model: next!, retry }, reason, coolMs }
    }
    case 'final':
      return { action: 'final', error: finalFailure(error, decision.isWaitOver, options), coolMs }
  }
}

/** The model to go to when that of the checkpoint is given up, if one may be used now. A message's own, like a pinned one, has none. */
export function nextModel(
  record: TaskRecord,
  { index, model, retry }: Checkpoint,
  models: readonly ModelID[],
  isCooling: (model: ModelID) => boolean,
): ModelID | undefined {
  if (messagesOf(record.input)[index]!.model !== undefined) return undefined
  const rest = models.slice(models.indexOf(model) + 1)
  return rest.find(
    (candidate) => candidate !== model && !retry?.givenUp.includes(candidate) && !isCooling(candidate),
  )
}

function finalFailure(
  { code, message, retryable, httpStatus, budget }: RunError,
  isWaitOver: boolean,
  { model }: AfterFailureOptions,
): TaskFailure {
  const where = { model, ...(httpStatus && { httpStatus }), ...(budget && { budget }) }
  if (!isWaitOver) return { code, message, retryable, ...where }
  const late = 'the next try would come after the time that this task may wait or run'
  return {
    code: 'retry_timeout',
    message: `Cannot try again: ${late}. ${message}`,
    retryable: true,
    ...where,
  }
}
