/**
 * The story of one task, from claim to end: open the session, send each message, relay what comes, price it.
 *
 * Knows neither BullMQ nor HTTP. Before anything is sent a checkpoint is written, so that a worker that
 * takes over repeats the same request, which costs nothing (ADOPTION.md §10).
 */
import { isTierlineError, TierlineError } from '../errors.ts'
import { openingEvents } from '../records/opening-events.ts'
import type { Write, WriteResult } from '../records/record-store.ts'
import { type Checkpoint, spend, type TaskRecord } from '../records/task-record.ts'
import type { SessionBackend, TurnOutcome } from '../sessions/backend.ts'
import type { TaskEvent } from '../tasks/event.ts'
import { messagesOf } from '../tasks/input.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { MessageResult, TaskFailure } from '../tasks/task.ts'
import { messageIDOf } from '../tasks/task-id.ts'
import type { Usage } from '../tasks/usage.ts'
import { createInterruption, type RunSignals } from './interruption.ts'
import { createJournal } from './journal.ts'
import { partsInLog } from './part-texts.ts'
import { backoffMs, nextTryAfterMs, type RetryPolicy } from './retry-policy.ts'
import { runTurn } from './run-turn.ts'
import { turnOf } from './turn-of.ts'

export interface RunnerDeps {
  write(write: Write): Promise<WriteResult>
  /** The log of a task so far, for a take-over. */
  readLog(id: string): Promise<TaskEvent[]>
  /** The server by its name; the one to use for a new session when `undefined`. */
  backend(server: string | undefined): SessionBackend
  /** The model of the next session, by the table in force now; the reason when it is another than at submit. */
  modelFor(record: TaskRecord): Promise<{ model: ModelID; changed?: string }>
  /** What `usage` costs; `reported` is what the server says it does. */
  price(model: ModelID, usage: Usage, reportedMicroUsd: number): number
  defaultAgent: string
  /** Wall clock of a task that names none. */
  timeoutMsOf(record: TaskRecord): number
  retry: RetryPolicy
  now(): number
}

/** What becomes of the delivery. `stale`: another worker has the task; touch nothing. */
export type Disposition =
  | { status: 'finished'; state: 'succeeded' | 'failed' | 'cancelled'; error?: TaskFailure }
  | { status: 'backoff'; delayMs: number }
  | { status: 'handed-over' }
  | { status: 'stale' }

/**
 * Runs a claimed task until it is over, handed over, or to be tried later. Changes `record` as it goes.
 *
 * Redis round trips of a one-message task that streams nothing: two, with the claim three.
 */
export async function runTask(
  record: TaskRecord,
  deps: RunnerDeps,
  signals: RunSignals,
): Promise<Disposition> {
  const { id } = record
  const startedAt = record.startedAt ?? deps.now()
  const interruption = createInterruption(signals, startedAt + deps.timeoutMsOf(record), deps.now())
  const journal = createJournal({
    id,
    fence: record.fence,
    attempt: record.attempt,
    seq: record.seq,
    opening: [
      ...(record.seq === 0 ? openingEvents(record) : []),
      { type: 'attempt-started', at: deps.now(), attempt: record.attempt },
    ],
    write: deps.write,
    now: deps.now,
    onStale: () => interruption.raise('stale'),
    onCancelRequested: () => interruption.raise('cancelled'),
  })
  try {
    if (record.cancelAt !== null) interruption.raise('cancelled')
    return await run()
  } catch (error) {
    if (interruption.reason() === 'stale') return { status: 'stale' }
    if (interruption.reason() !== undefined) return await interrupted()
    if (isTierlineError(error, 'opencode_unavailable')) return await later()
    return await fail(failureOf(error, record.model))
  } finally {
    interruption.dispose()
    journal.close()
  }

  async function run(): Promise<Disposition> {
    const messages = messagesOf(record.input)
    if (interruption.reason() !== undefined || record.checkpoint?.abort) return interrupted()
    const takenOver = record.attempt > 1 && record.checkpoint !== null
    if (record.sessionID === null) await openSession()
    const sessionModel = record.model
    const log = takenOver ? await deps.readLog(id) : []

    for (let index = record.done.length; index < messages.length; index += 1) {
      if (interruption.reason() !== undefined) return interrupted()
      const message = messages[index]!
      const resumed = record.checkpoint?.index === index ? record.checkpoint : undefined
      const checkpoint: Checkpoint = resumed ?? {
        index,
        try: record.retries * 1000,
        model: message.model ?? sessionModel,
      }
      const messageID = messageIDOf(id, index, checkpoint.try)
      const sent = log.some((event) => event.type === 'message-sent' && event.messageID === messageID)
      record.checkpoint = checkpoint
      if (!sent) journal.add({ type: 'message-sent', messageID, model: checkpoint.model, index })
      const written = await journal.commit({
        checkpoint: JSON.stringify(checkpoint),
        sessionID: record.sessionID!,
        server: record.server!,
        model: sessionModel,
      })
      if (!written) return { status: 'stale' }

      const outcome = await runTurn({
        backend: deps.backend(record.server!),
        turn: turnOf(record, checkpoint, messageID, deps.defaultAgent),
        journal,
        interruption,
        parts: partsInLog(log, messageID),
        beforeAbort: (reason) =>
          journal.commit({ checkpoint: JSON.stringify({ ...checkpoint, abort: reason }) }),
      })
      const disposition = await settle(outcome, checkpoint, messageID, index === messages.length - 1)
      if (disposition !== undefined) return disposition
    }
    return finish('succeeded')
  }

  async function openSession(): Promise<void> {
    const { model, changed } = await deps.modelFor(record)
    if (changed !== undefined)
      journal.add({ type: 'model-changed', from: record.model, to: model, reason: changed })
    record.model = model
    const backend = deps.backend(undefined)
    const { sessionID } = await backend.openSession(
      {
        taskID: record.retries === 0 ? id : `${id}.${record.retries}`,
        title: record.input.title ?? `${record.type ?? record.tier ?? 'task'} ${id}`,
        model,
        directory: record.directory ?? undefined,
        mayExist: record.attempt > 1,
      },
      interruption.signal,
    )
    record.sessionID = sessionID
    record.server = backend.server
    journal.add({ type: 'session-opened', sessionID, server: backend.server, model })
  }

  /** Books what a turn cost and says how the task goes on; `undefined`: with the next message. */
  async function settle(
    outcome: TurnOutcome,
    checkpoint: Checkpoint,
    messageID: string,
    isLast: boolean,
  ): Promise<Disposition | undefined> {
    const costMicroUsd = deps.price(outcome.model, outcome.usage, outcome.costMicroUsd)
    spend(record, { usage: outcome.usage, costMicroUsd })
    if (outcome.status === 'finished') {
      const { model, usage, finish: reason, text } = outcome
      const result: MessageResult = { messageID, model, text, finish: reason, usage, costMicroUsd }
      record.done = [...record.done, result]
      record.checkpoint = null
      journal.add({ type: 'message-finished', messageID, model, finish: reason, usage, costMicroUsd })
      if (isLast && interruption.reason() === undefined) return finish('succeeded')
      return (await journal.commit(spentFields())) ? undefined : { status: 'stale' }
    }
    if (interruption.reason() !== undefined) return interrupted()
    if (outcome.status === 'aborted') {
      return fail({
        ...failure(
          'turn_aborted',
          'Cannot finish the turn: its OpenCode session was aborted by somebody else',
        ),
        model: checkpoint.model,
      })
    }
    const { error } = outcome
    const tries = (checkpoint.try % 1000) + 1
    const delayMs = nextTryAfterMs(error, tries, deps.retry)
    const { code, message, retryable, httpStatus } = error
    if (delayMs === undefined)
      return fail({ code, message, retryable, model: outcome.model, ...(httpStatus && { httpStatus }) })
    record.checkpoint = { index: checkpoint.index, try: checkpoint.try + 1, model: checkpoint.model }
    return backoff(delayMs)
  }

  /** OpenCode is away: the same request again later, since nothing new is paid for. */
  function later(): Promise<Disposition> {
    return backoff(backoffMs(record.attempt, deps.retry))
  }

  async function backoff(delayMs: number): Promise<Disposition> {
    const written = await journal.commit({ ...spentFields(), delayUntil: deps.now() + delayMs }, 'delayed')
    return written ? { status: 'backoff', delayMs } : { status: 'stale' }
  }

  /** Ends or hands over, as the first interruption says. */
  async function interrupted(): Promise<Disposition> {
    const reason = interruption.reason() ?? record.checkpoint?.abort
    if (reason === 'stale') return { status: 'stale' }
    if (reason === 'stop') {
      const written = await journal.commit(spentFields(), 'waiting')
      return written ? { status: 'handed-over' } : { status: 'stale' }
    }
    // A take-over may find an abort that was decided and not done; a second one does no harm.
    if (record.sessionID !== null && record.checkpoint !== null)
      await deps
        .backend(record.server!)
        .abort({ sessionID: record.sessionID, directory: record.directory ?? undefined })
        .catch(() => {})
    if (reason === 'cancelled') return finish('cancelled', failure('cancelled', 'The task was cancelled'))
    const seconds = Math.round(deps.timeoutMsOf(record) / 1000)
    return fail(failure('task_timeout', `Cannot finish the task: ${seconds} s since its start are over`))
  }

  function fail(error: TaskFailure): Promise<Disposition> {
    return finish('failed', error)
  }

  async function finish(
    state: 'succeeded' | 'failed' | 'cancelled',
    error?: TaskFailure,
  ): Promise<Disposition> {
    journal.add({ type: 'task-finished', state, ...(error && { error }) })
    const written = await journal.commit(
      { ...spentFields(), ...(error && { error: JSON.stringify(error) }) },
      state,
    )
    return written ? { status: 'finished', state, ...(error && { error }) } : { status: 'stale' }
  }

  function spentFields() {
    return {
      checkpoint: record.checkpoint === null ? '' : JSON.stringify(record.checkpoint),
      done: JSON.stringify(record.done),
      usage: JSON.stringify(record.usage),
      costMicroUsd: record.costMicroUsd,
    }
  }
}

function failure(code: 'cancelled' | 'task_timeout' | 'turn_aborted', message: string): TaskFailure {
  const { retryable } = new TierlineError(code, message)
  return { code, message, retryable }
}

/** An error of ours keeps its words; of any other only the fact is told, its text is for the log. */
function failureOf(error: unknown, model: ModelID): TaskFailure {
  if (!(error instanceof TierlineError)) throw error
  const { code, message, retryable, httpStatus } = error
  return { code, message, retryable, model, ...(httpStatus && { httpStatus }) }
}
