/**
 * The story of a comparison: submits one task per model, waits for all, judges each, and puts the table together.
 *
 * It sends nothing itself. Every step may be repeated by a worker that takes over: the tasks have their ids
 * since the submit.
 */
import { isTierlineError } from '../errors.ts'
import { openingEvents } from '../records/opening-events.ts'
import type { Write, WriteResult } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import { type CompareColumn, inputOfColumn } from '../tasks/compare-input.ts'
import type { TaskEvent } from '../tasks/event.ts'
import type { ParsedTaskInput } from '../tasks/input.ts'
import type { ComparisonRow, Task, TaskFailure, Verdict } from '../tasks/task.ts'
import { NO_USAGE } from '../tasks/usage.ts'
import { createAlarms } from './alarms.ts'
import { failure, failureOf } from './failure.ts'
import { createInterruption, type RunSignals } from './interruption.ts'
import { createJournal } from './journal.ts'
import type { Disposition } from './task-run.ts'

const MOST_DIFF_CHARS = 256 * 1024
/** Each of the tasks has limits of its own; this one is for tasks that never get to start. */
const LIMIT_MS = 24 * 60 * 60 * 1000

export interface CompareDeps {
  write(write: Write): Promise<WriteResult>
  /** Submits one of the tasks, unless it is there. @throws {TierlineError} when it is refused. */
  submit(taskID: string, input: ParsedTaskInput, keepsWorktree: boolean): Promise<void>
  /** Resolves when the task is over, or `signal` aborts. */
  whenOver(taskID: string, signal: AbortSignal): Promise<Task>
  readLog(taskID: string): Promise<TaskEvent[]>
  /** `undefined`: nothing to say, or nobody to say it. */
  judge(record: TaskRecord, task: Task, signal: AbortSignal): Promise<Verdict | undefined>
  /** Removes the worktree that was kept for the judge. Never throws. */
  release(taskID: string): Promise<void>
  cancel(taskID: string): Promise<unknown>
  now(): number
}

/** Runs a claimed comparison until it is over or handed over. */
export async function runCompare(
  record: TaskRecord,
  deps: CompareDeps,
  signals: RunSignals,
): Promise<Disposition> {
  const { id, attempt } = record
  const spec = record.compare!
  const startedAt = record.startedAt ?? deps.now()
  const interruption = createInterruption(signals, startedAt + LIMIT_MS, deps.now())
  const journal = createJournal({
    ...{ id, fence: record.fence, attempt, seq: record.seq },
    opening: [
      ...(record.seq === 0 ? openingEvents(record) : []),
      { type: 'attempt-started', at: deps.now(), attempt },
    ],
    write: deps.write,
    alarms: createAlarms(),
    now: deps.now,
    onStale: () => interruption.raise('stale'),
    onCancelRequested: () => interruption.raise('cancelled'),
  })
  try {
    if (record.cancelAt !== null) interruption.raise('cancelled')
    if (interruption.reason() !== undefined) return await interrupted()
    const refusals = await Promise.all(spec.columns.map(submit))
    const detail = `${spec.columns.length} tasks that are compared`
    journal.add({ type: 'task-parked', waitingFor: { reason: 'children', detail, until: null } })
    // Whoever follows the log finds the children from here on.
    if (!(await journal.commit())) return { status: 'stale' }
    const rows = await Promise.all(spec.columns.map((column, index) => rowFor(column, refusals[index])))
    if (interruption.reason() !== undefined) return await interrupted()
    journal.add({ type: 'task-resumed' })
    return await finish('succeeded', undefined, rows)
  } catch (error) {
    if (interruption.reason() !== undefined) return await interrupted()
    throw error
  } finally {
    interruption.dispose()
    journal.close()
  }

  /** Why it was refused: the others go on without it. */
  async function submit(column: CompareColumn): Promise<TaskFailure | undefined> {
    try {
      const input = { ...inputOfColumn(record.input, spec, column), parentTaskID: id }
      await deps.submit(column.taskID, input, spec.verify !== undefined)
      return undefined
    } catch (error) {
      if (isTierlineError(error, 'parent_finished')) interruption.raise('cancelled')
      if (interruption.reason() !== undefined || isTierlineError(error, 'redis_unavailable')) throw error
      return failureOf(error, column.model ?? record.model)
    }
  }

  async function rowFor(column: CompareColumn, refusal: TaskFailure | undefined): Promise<ComparisonRow> {
    if (refusal !== undefined) return refusedRow(column, refusal)
    try {
      return await rowOf(column)
    } catch (error) {
      // Somebody has deleted it: the others are compared without it, and it is not paid for once more.
      if (!isTierlineError(error, 'task_not_found')) throw error
      return refusedRow(column, failureOf(error, column.model ?? record.model))
    }
  }

  async function rowOf(column: CompareColumn): Promise<ComparisonRow> {
    const { taskID } = column
    const task = await deps.whenOver(taskID, interruption.signal)
    if (interruption.reason() !== undefined) return refusedRow(column, failure('cancelled', 'interrupted'))
    const verdict = (await deps.judge(record, task, interruption.signal)) ?? null
    if (spec.verify !== undefined) await deps.release(taskID)
    const { model, state, result, usage, costMicroUsd, startedAt, finishedAt, error } = task
    return {
      ...{ taskID, model, state, usage, costMicroUsd, verdict, error },
      text: result?.text ?? null,
      diff: result?.diff?.slice(0, MOST_DIFF_CHARS) ?? null,
      firstTokenMs: firstTokenMs(await deps.readLog(taskID)),
      totalMs: startedAt === null || finishedAt === null ? null : finishedAt - startedAt,
    }
  }

  async function interrupted(): Promise<Disposition> {
    const reason = interruption.reason()
    if (reason === 'stale') return { status: 'stale' }
    if (reason === 'stop') {
      return (await journal.commit({}, 'waiting')) ? { status: 'handed-over' } : { status: 'stale' }
    }
    // Whoever cancelled it did this too, but may have died before it came so far.
    await Promise.all(spec.columns.map(({ taskID }) => deps.cancel(taskID).catch(() => {})))
    return reason === 'cancelled'
      ? finish('cancelled', failure('cancelled', 'The task was cancelled'))
      : finish(
          'failed',
          failure('task_timeout', 'Cannot finish the comparison: a day since its start is over'),
        )
  }

  async function finish(
    state: 'succeeded' | 'failed' | 'cancelled',
    error?: TaskFailure,
    rows?: readonly ComparisonRow[],
  ): Promise<Disposition> {
    journal.add({ type: 'task-finished', state, ...(error && { error }) })
    const fields = {
      ...(rows && { comparison: JSON.stringify(rows) }),
      ...(error && { error: JSON.stringify(error) }),
    }
    const written = await journal.commit(fields, state)
    return written ? { status: 'finished', state, ...(error && { error }) } : { status: 'stale' }
  }
}

function refusedRow({ model, tier }: CompareColumn, error: TaskFailure): ComparisonRow {
  return {
    ...{ taskID: null, model: model ?? tier!, state: 'failed', text: null, diff: null, verdict: null, error },
    ...{ usage: NO_USAGE, costMicroUsd: 0, firstTokenMs: null, totalMs: null },
  }
}

function firstTokenMs(events: readonly TaskEvent[]): number | null {
  const sent = events.find(({ type }) => type === 'message-sent')
  const first = events.find(({ type }) => type === 'text-delta')
  return sent === undefined || first === undefined ? null : first.at - sent.at
}
