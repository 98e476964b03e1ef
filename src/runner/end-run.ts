/** The ways a run comes to its end: the task is over, comes again later, or goes to another worker. */
import type { RecordFields } from '../records/record-fields.ts'
import type { LetGo } from '../records/record-store.ts'
import type { Checkpoint, TaskRecord } from '../records/task-record.ts'
import type { TaskFailure } from '../tasks/task.ts'
import { abortSession } from './abort-session.ts'
import { failure, outcomeUncertain } from './failure.ts'
import type { JournalEvent } from './journal.ts'
import { diffOf, leaveWorktree } from './own-worktree.ts'
import { backoffMs } from './retry-policy.ts'
import { ABORT_PATIENCE_MS } from './run-turn.ts'
import type { Disposition, TaskRun, TurnWait } from './task-run.ts'
import { turnInFlight } from './turn-in-flight.ts'

export function fail(run: TaskRun, error: TaskFailure): Promise<Disposition> {
  return finish(run, 'failed', error)
}

/** `last`: what is said before that the task is over, in the same write. */
export async function finish(
  { record, deps, journal, budget }: TaskRun,
  state: 'succeeded' | 'failed' | 'cancelled',
  error?: TaskFailure,
  last?: JournalEvent,
): Promise<Disposition> {
  // Before anything is final: what cannot be told now is told at the next attempt.
  const diff = state === 'succeeded' && record.worktree !== null && { diff: await diffOf(record, deps) }
  // Not before: what is in the journal goes out by itself, and this is true only with the end of the task.
  if (last !== undefined) journal.add(last)
  journal.add({ type: 'task-finished', state, ...(error && { error }) })
  const written = await journal.commit(
    { ...progressFields(record), ...diff, ...(error && { error: JSON.stringify(error) }) },
    state,
    // In the same step: who hears that the task is over finds it counted.
    letGoOf(record, deps.turns.leaving(record), budget?.remainder()),
  )
  if (written && record.input.isolation === 'worktree') await leaveWorktree(record, deps)
  return written ? { status: 'finished', state, ...(error && { error }) } : { status: 'stale' }
}

function letGoOf({ id }: TaskRecord, limits: LetGo['limits'], money: LetGo['money']): LetGo | undefined {
  return limits === undefined && money === undefined ? undefined : { task: id, limits, money }
}

/** OpenCode is away: the same request again later, since nothing new is paid for. */
export function tryLater(run: TaskRun): Promise<Disposition> {
  return backOff(run, backoffMs(run.record.attempt, run.deps.retry))
}

export async function backOff(run: TaskRun, wantedMs: number): Promise<Disposition> {
  const { record, deps, deadlineAt, interruption, journal, budget } = run
  if (!isInFlight(record.checkpoint)) await budget?.settle()
  const delayMs = Math.max(0, Math.min(wantedMs, deadlineAt - deps.now()))
  const written = await journal.commit(
    { ...progressFields(record), delayUntil: deps.now() + delayMs },
    'delayed',
  )
  if (!written) return { status: 'stale' }
  // The write itself may have brought the news: the next claim ends the task, so let it come now.
  return interruption.reason() === 'cancelled' ? { status: 'handed-over' } : { status: 'backoff', delayMs }
}

/** It waits for its next turn, and its delivery is put off. */
export async function park(run: TaskRun, wait: TurnWait): Promise<Disposition> {
  const { record, interruption, journal, budget } = run
  const { waitingFor } = wait
  // A budget that refused it has let go of it already.
  if (waitingFor.reason !== 'budget') await budget?.settle()
  journal.add({ type: 'task-parked', waitingFor })
  const fields = {
    ...progressFields(record),
    ...{ model: record.model, sessionID: record.sessionID!, server: record.server! },
    waitingFor: JSON.stringify(waitingFor),
  }
  if (!(await journal.commit(fields, 'waiting'))) return { status: 'stale' }
  return interruption.reason() === 'cancelled' ? { status: 'handed-over' } : { status: 'parked', wait }
}

/** Ends or hands over, as the first interruption says. */
export async function endInterrupted(run: TaskRun): Promise<Disposition> {
  const { record, limits, interruption, journal } = run
  const reason = interruption.reason() ?? record.checkpoint?.abort
  if (reason === 'stale') return { status: 'stale' }
  if (reason === 'stop') {
    const written = await journal.commit(progressFields(record), 'waiting')
    return written ? { status: 'handed-over' } : { status: 'stale' }
  }
  // A take-over may find an abort that was decided and not done; a second one does no harm.
  let isReached = true
  if (record.sessionID !== null && record.checkpoint !== null) {
    const mine = await abortSession(run).catch(() => {
      isReached = false
      return true
    })
    if (!mine) return { status: 'stale' }
    await readSpent(run)
  }
  if (reason === 'cancelled') return finish(run, 'cancelled', failure('cancelled', 'The task was cancelled'))
  const seconds = Math.round(limits.timeoutMs / 1000)
  if (!isReached) return fail(run, outcomeUncertain(record.server!, seconds))
  return fail(run, failure('task_timeout', `Cannot finish the task: ${seconds} s since its start are over`))
}

/** A message was sent, and its turn is not over as far as anybody knows. */
export function isInFlight(checkpoint: Checkpoint | null): boolean {
  return checkpoint !== null && !checkpoint.retry?.isDue
}

/** Of a turn that was ended and whose end nobody listened to: another worker had it. */
async function readSpent({ record, deps, book }: TaskRun): Promise<void> {
  if (!book.isOpen() || record.checkpoint === null) return
  const turn = turnInFlight(record, record.checkpoint)
  try {
    book.settle(await deps.backend(record.server!).spentOn(turn, AbortSignal.timeout(ABORT_PATIENCE_MS)))
  } catch {
    // What nobody can tell stays as it was last known.
  }
}

/** How far a task has come, ready to be written; what it spent goes along by itself. */
export function progressFields(record: TaskRecord): RecordFields {
  return {
    checkpoint: record.checkpoint === null ? '' : JSON.stringify(record.checkpoint),
    done: JSON.stringify(record.done),
  }
}
