import type { TurnCut } from '../records/task-record.ts'
import { ABORT_PATIENCE_MS } from './run-turn.ts'
import type { TaskRun } from './task-run.ts'
import { withinMs } from './within-ms.ts'

/**
 * Once in a turn; what is meant is written down before, which also proves that the task is still ours.
 * `false`: it is not. Rejects when the server does not do it; one that is slow is not waited for long.
 */
export function abortSession(run: TaskRun, cut?: TurnCut): Promise<boolean> {
  const { record, deps, interruption, journal } = run
  const ask = async () => {
    const directory = record.directory ?? undefined
    // No longer than it is waited for: it would hit the next turn of the session.
    const signal = AbortSignal.timeout(ABORT_PATIENCE_MS)
    await deps.backend(record.server!).abort({ sessionID: record.sessionID!, directory }, signal)
  }
  const reason = interruption.reason() ?? record.checkpoint!.abort
  const abort = reason === 'cancelled' || reason === 'task_timeout' ? reason : undefined
  record.checkpoint = { ...record.checkpoint!, ...(abort ? { abort } : cut && { cut }) }
  run.aborting ??= journal.commit({ checkpoint: JSON.stringify(record.checkpoint) }).then(async (mine) => {
    // A turn that was only cut is followed by another one in its session.
    const burying = mine && abort ? deps.bury(record, deps.now()).catch(() => {}) : undefined
    if (mine) await withinMs(Promise.all([ask(), burying]), ABORT_PATIENCE_MS)
    return mine
  })
  return run.aborting
}
