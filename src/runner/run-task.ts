/**
 * The story of one task, from claim to end: open the session, send each message, relay what comes, price it.
 *
 * Knows neither BullMQ nor HTTP. Before anything is sent a checkpoint is written, so that a worker that
 * takes over repeats the same request, which costs nothing (docs/architecture.md "Take-over").
 */
import { isTierlineError } from '../errors.ts'
import { messageIDAt } from '../records/message-id.ts'
import { openingEvents } from '../records/opening-events.ts'
import type { Checkpoint, TaskRecord } from '../records/task-record.ts'
import type { TaskEvent } from '../tasks/event.ts'
import { messagesOf } from '../tasks/input.ts'
import { abortSession } from './abort-session.ts'
import { nextModel } from './after-failure.ts'
import { createAskDesk } from './ask-desk.ts'
import { type Book, createBook } from './book.ts'
import { endInterrupted, fail, finish, isInFlight, park, tryLater } from './end-run.ts'
import { failureOf, queueTimeout } from './failure.ts'
import { createInterruption, type RunSignals } from './interruption.ts'
import { createJournal, type Journal } from './journal.ts'
import { openSession } from './open-session.ts'
import { partsInLog } from './part-texts.ts'
import { runTurn } from './run-turn.ts'
import { settleTurn } from './settle-turn.ts'
import type { Disposition, RunnerDeps, TaskRun } from './task-run.ts'
import { turnOf } from './turn-of.ts'

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
  const limits = deps.limitsOf(record)
  const now = deps.now()
  const deadlineAt = (record.startedAt ?? now) + limits.timeoutMs
  const interruption = createInterruption(signals, deadlineAt, now)
  const book = createBook(record, deps.price)
  const journal = openJournal(record, book, deps, signals, interruption.raise)
  const budget = deps.budgetOf(record, limits)
  const aborting = undefined
  const run: TaskRun = { record, deps, limits, deadlineAt, interruption, journal, book, budget, aborting }
  try {
    return await tell(run, signals)
  } finally {
    budget?.close()
  }
}

async function tell(run: TaskRun, signals: RunSignals): Promise<Disposition> {
  const { record, deadlineAt, interruption, journal } = run
  try {
    if (record.cancelAt !== null) interruption.raise('cancelled')
    else if (deadlineAt <= run.deps.now()) interruption.raise('task_timeout')
    return await runMessages(run, signals)
  } catch (error) {
    if (interruption.reason() === 'stale') return { status: 'stale' }
    if (interruption.reason() !== undefined) return await endInterrupted(run)
    if (isTierlineError(error, 'opencode_unavailable')) return await tryLater(run)
    return await fail(run, failureOf(error, record.model))
  } finally {
    interruption.dispose()
    journal.close()
  }
}

function openJournal(
  record: TaskRecord,
  book: Book,
  deps: RunnerDeps,
  { end }: RunSignals,
  raise: (reason: 'stale' | 'cancelled') => void,
): Journal {
  const { id, fence, attempt, seq, waitingFor } = record
  const { alarms, now } = deps
  const at = now()
  return createJournal({
    ...{ id, fence, attempt, seq, book, alarms, now },
    write: (write) => deps.write(write, end),
    opening: [
      ...(seq === 0 ? openingEvents(record) : []),
      ...(waitingFor === null ? [] : [{ type: 'task-resumed' as const, at, attempt }]),
      { type: 'attempt-started', at, attempt },
    ],
    ...(waitingFor !== null && { openingFields: { waitingFor: '' } }),
    onStale: () => raise('stale'),
    onCancelRequested: () => raise('cancelled'),
  })
}

async function runMessages(run: TaskRun, signals: RunSignals): Promise<Disposition> {
  const { record, deps, limits, interruption, journal } = run
  const messages = messagesOf(record.input)
  if (interruption.reason() !== undefined || record.checkpoint?.abort) return endInterrupted(run)
  const takenOver = record.attempt > 1 && record.checkpoint !== null
  const waitedMs = (record.startedAt ?? 0) - Math.max(record.createdAt, record.delayUntil)
  if (record.sessionID === null && waitedMs > limits.queueTimeoutMs)
    return fail(run, queueTimeout(limits.queueTimeoutMs))
  if (record.sessionID === null) await openSession(record, deps, journal, interruption.signal)
  const log = takenOver ? await deps.readLog(record.id) : []

  while (record.done.length < messages.length) {
    if (interruption.reason() !== undefined) return endInterrupted(run)
    const disposition = await runMessage(run, record.done.length, log, signals)
    if (disposition !== undefined) return disposition
  }
  return finish(run, 'succeeded')
}

/** Sends one message and sees its turn through. `undefined`: the task goes on, maybe with the same message. */
async function runMessage(
  run: TaskRun,
  index: number,
  log: readonly TaskEvent[],
  { onAnswer }: RunSignals,
): Promise<Disposition | undefined> {
  const { record, deps, limits, deadlineAt, interruption, journal, book } = run
  const messages = messagesOf(record.input)
  const own = messages[index]!.model
  if (own === undefined && (record.checkpoint?.retry?.isDue || deps.isCooling(record.model)))
    await reconsiderModel(run)
  const checkpoint = sentNow(
    record.checkpoint ?? { index, try: record.retries * 1000, model: own ?? record.model },
  )
  const messageID = messageIDAt(record, checkpoint)
  // The log says so, too, unless that was trimmed.
  const sent = isInFlight(record.checkpoint)
  const wait = sent ? undefined : await deps.turns.begin(record, checkpoint.model)
  if (wait !== undefined) return park(run, wait)
  const refusal = await run.budget?.mayStart(checkpoint.model, sent)
  if (refusal?.status === 'never') return fail(run, { ...refusal.error, model: checkpoint.model })
  if (refusal?.status === 'later') return park(run, refusal.wait)
  record.checkpoint = checkpoint
  run.aborting = undefined
  if (!sent) journal.add({ type: 'message-sent', messageID, model: checkpoint.model, index })
  const written = await journal.commit({
    checkpoint: JSON.stringify(checkpoint),
    sessionID: record.sessionID!,
    server: record.server!,
    model: record.model,
    ...(record.worktree !== null && {
      worktree: JSON.stringify(record.worktree),
      directory: record.worktree.directory,
    }),
  })
  if (!written) return { status: 'stale' }
  if (interruption.reason() !== undefined) return endInterrupted(run)
  book.begin()

  const parts = partsInLog(log, messageID)
  const onStep = await deps.probe(checkpoint.model, record.id)
  const backend = deps.backend(record.server!)
  const asks = createAskDesk({
    ...deps.asksOf(record),
    ...{ record, backend, journal, log, onAnswer, deadlineAt },
  })
  const { outcome, failing } = await runTurn({
    ...{ backend, asks, journal, interruption, parts, onStep, onSpent: book.take },
    mayGoOn: run.budget?.mayGoOn,
    turn: turnOf(record, checkpoint, messageID, deps.defaultAgent, asks.open()),
    limits: {
      ...limits,
      maxRetryAfterMs: deps.retry.maxRetryAfterMs,
      maxRequests: deps.retry.maxTries,
      hasNext: () => nextModel(record, checkpoint, deps.modelsOf(record), deps.isCooling) !== undefined,
      deadlineAt,
    },
    failingSince: checkpoint.retry?.since,
    cut: checkpoint.cut,
    abort: (cut) => abortSession(run, cut),
  })
  if (outcome === undefined) return endInterrupted(run)
  deps.turns.ended(record, outcome.spendings)
  const isLast = index === messages.length - 1
  const isProbe = onStep !== undefined
  return settleTurn(run, outcome, { checkpoint, messageID, parts, failing, isLast, isProbe })
}

/** The table, or what is known of the model, may be another than when it was chosen. */
async function reconsiderModel({ record, deps, journal }: TaskRun): Promise<void> {
  // One that was sent is waited for, wherever it went.
  if (record.checkpoint !== null && !record.checkpoint.retry?.isDue) return
  const from = record.checkpoint?.model ?? record.model
  const { model, changed } = await deps.modelFor(record)
  if (changed === undefined || model === from) return
  record.model = model
  journal.add({ type: 'model-changed', from, to: model, reason: changed })
  if (record.checkpoint?.retry)
    record.checkpoint = { ...record.checkpoint, model, retry: { ...record.checkpoint.retry, tries: 0 } }
}

function sentNow(checkpoint: Checkpoint): Checkpoint {
  if (!checkpoint.retry?.isDue) return checkpoint
  const { isDue: _, ...retry } = checkpoint.retry
  return { ...checkpoint, retry }
}
