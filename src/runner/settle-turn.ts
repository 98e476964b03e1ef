import type { Checkpoint } from '../records/task-record.ts'
import type { MessageResult } from '../tasks/task.ts'
import { afterFailure } from './after-failure.ts'
import { backOff, endInterrupted, fail, finish, progressFields } from './end-run.ts'
import { failure } from './failure.ts'
import { discardAll, type PartTexts } from './part-texts.ts'
import type { RunOutcome } from './run-turn.ts'
import type { Disposition, TaskRun } from './task-run.ts'
import type { Failing } from './turn-guard.ts'

/** A turn that is over. */
export interface SettledTurn {
  checkpoint: Checkpoint
  messageID: string
  parts: PartTexts
  failing: Failing
  /** No message of the task comes after it. */
  isLast: boolean
  /** It was to show whether a model that cooled is well again. */
  isProbe: boolean
}

const ABORTED_BY_SOMEBODY = failure(
  'turn_aborted',
  'Cannot finish the turn: its OpenCode session was aborted by somebody else',
)

/** Books what a turn cost and says how the task goes on; `undefined`: at once, with what the record says. */
export async function settleTurn(
  run: TaskRun,
  outcome: RunOutcome,
  turn: SettledTurn,
): Promise<Disposition | undefined> {
  const { record, deps, limits, deadlineAt, interruption, journal, book } = run
  const { checkpoint, messageID, parts, isLast } = turn
  const { usage, costMicroUsd } = book.settle(outcome.spendings)
  if (outcome.status === 'finished') {
    const { model, finish: reason, text } = outcome
    const result: MessageResult = { messageID, model, text, finish: reason, usage, costMicroUsd }
    record.done = [...record.done, result]
    record.checkpoint = null
    const event = { type: 'message-finished', messageID, model, finish: reason, usage, costMicroUsd } as const
    if (isLast) return finish(run, 'succeeded', undefined, event)
    journal.add(event)
    return (await journal.commit(progressFields(record))) ? undefined : { status: 'stale' }
  }
  const reason = interruption.reason()
  if (reason === 'cancelled' || reason === 'task_timeout') return endInterrupted(run)
  if (outcome.status === 'aborted') return fail(run, { ...ABORTED_BY_SOMEBODY, model: checkpoint.model })
  const { error, model } = outcome
  const after = afterFailure({
    ...{ record, checkpoint, error, failing: turn.failing, model, deadlineAt },
    models: deps.modelsOf(record),
    policy: deps.retry,
    isCooling: deps.isCooling,
    isProbe: turn.isProbe,
    retryWaitMs: limits.retryWaitMs,
    now: deps.now(),
  })
  if (after.coolMs !== undefined) await deps.cool(checkpoint.model, after.coolMs)
  if (after.action === 'final') return fail(run, after.error)
  for (const entry of discardAll(parts, messageID)) journal.add(entry)
  record.checkpoint = after.checkpoint
  if (after.action === 'same') return backOff(run, after.delayMs)
  record.model = after.checkpoint.model
  journal.add({ type: 'model-changed', from: checkpoint.model, to: record.model, reason: after.reason })
  const fields = { ...progressFields(record), model: record.model }
  return (await journal.commit(fields)) ? undefined : { status: 'stale' }
}
