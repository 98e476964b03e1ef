/**
 * The story of one task, from claim to end: open the session, send each message, relay what comes, price it.
 *
 * Knows neither BullMQ nor HTTP. Before anything is sent a checkpoint is written, so that a worker that
 * takes over repeats the same request, which costs nothing (docs/architecture.md "Take-over").
 */
import { isTierlineError } from '../errors.ts'
import { messageIDAt } from '../records/message-id.ts'
import { openingEvents } from '../records/opening-events.ts'
import type { RecordFields } from '../records/record-fields.ts'
import type { Write, WriteResult } from '../records/record-store.ts'
import { type Checkpoint, spend, type TaskRecord, type TurnCut } from '../records/task-record.ts'
import type { TaskEvent } from '../tasks/event.ts'
import { messagesOf } from '../tasks/input.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { MessageResult, TaskFailure } from '../tasks/task.ts'
import type { Usage } from '../tasks/usage.ts'
import { afterFailure, nextModel } from './after-failure.ts'
import { type AskDeps, createAskDesk } from './ask-desk.ts'
import { failure, failureOf, outcomeUncertain, queueTimeout } from './failure.ts'
import { createInterruption, type RunSignals } from './interruption.ts'
import { createJournal } from './journal.ts'
import { type OpenSessionDeps, openSession } from './open-session.ts'
import { diffOf, leaveWorktree } from './own-worktree.ts'
import { discardAll, type PartTexts, partsInLog } from './part-texts.ts'
import { backoffMs, type RetryPolicy } from './retry-policy.ts'
import { ABORT_PATIENCE_MS, type RunOutcome, runTurn } from './run-turn.ts'
import type { Failing } from './turn-guard.ts'
import { turnOf } from './turn-of.ts'
import { withinMs } from './within-ms.ts'

export interface RunnerDeps extends OpenSessionDeps {
  write(write: Write): Promise<WriteResult>
  /** Notes down that the turn of the checkpoint is aborted for good: it may be revived. */
  bury(record: TaskRecord, now: number): Promise<void>
  /** The log of a task so far, for a take-over. */
  readLog(id: string): Promise<TaskEvent[]>
  /** What `usage` costs; `reported` is what the server says it does. */
  price(model: ModelID, usage: Usage, reportedMicroUsd: number): number
  defaultAgent: string
  /** The models this task may use by the table in force now, most wanted first; one for a pinned model. */
  modelsOf(record: TaskRecord): readonly ModelID[]
  limitsOf(record: TaskRecord): TaskLimits
  /** True: the model failed others just now. */
  isCooling(model: ModelID): boolean
  /** Keeps the model from others for a while; `retryAfterMs` is what its provider asked to wait. */
  cool(model: ModelID, retryAfterMs: number): Promise<void>
  /** What to call once a step of the model went well; `undefined`: nobody waits to hear of it. */
  probe(model: ModelID, taskID: string): Promise<(() => void) | undefined>
  /** How the asks of a task are answered. */
  asksOf(record: TaskRecord): AskDeps
  retry: RetryPolicy
  now(): number
}

/** What ends a task or a turn of it that would go on for ever. */
export interface TaskLimits {
  /** Wall clock from the first start of the task. */
  timeoutMs: number
  /** From the submit, or the end of its delay, to the first start. */
  queueTimeoutMs: number
  /** Of the model, in one turn. */
  maxSteps: number
  /** Of the stream, while the model is to speak. */
  silenceMs: number
  /** From the first failure of a provider to the next step that goes well. */
  retryWaitMs: number
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
  const limits = deps.limitsOf(record)
  const deadlineAt = (record.startedAt ?? deps.now()) + limits.timeoutMs
  const interruption = createInterruption(signals, deadlineAt, deps.now())
  const eventNow = (type: 'task-resumed' | 'attempt-started') => ({
    type,
    at: deps.now(),
    attempt: record.attempt,
  })
  const journal = createJournal({
    id,
    fence: record.fence,
    attempt: record.attempt,
    seq: record.seq,
    opening: [
      ...(record.seq === 0 ? openingEvents(record) : []),
      ...(record.waitingFor === null ? [] : [eventNow('task-resumed')]),
      eventNow('attempt-started'),
    ],
    ...(record.waitingFor !== null && { openingFields: { waitingFor: '' } }),
    write: deps.write,
    now: deps.now,
    onStale: () => interruption.raise('stale'),
    onCancelRequested: () => interruption.raise('cancelled'),
  })
  let aborting: Promise<boolean> | undefined
  try {
    if (record.cancelAt !== null) interruption.raise('cancelled')
    else if (deadlineAt <= deps.now()) interruption.raise('task_timeout')
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
    const waitedMs = (record.startedAt ?? 0) - Math.max(record.createdAt, record.delayUntil)
    if (record.sessionID === null && waitedMs > limits.queueTimeoutMs)
      return fail(queueTimeout(limits.queueTimeoutMs))
    if (record.sessionID === null) await openSession(record, deps, journal, interruption.signal)
    const log = takenOver ? await deps.readLog(id) : []

    while (record.done.length < messages.length) {
      if (interruption.reason() !== undefined) return interrupted()
      const index = record.done.length
      const own = messages[index]!.model
      if (own === undefined && (record.checkpoint?.retry?.isDue || deps.isCooling(record.model)))
        await reconsiderModel()
      const checkpoint = sentNow(
        record.checkpoint ?? { index, try: record.retries * 1000, model: own ?? record.model },
      )
      const messageID = messageIDAt(record, checkpoint)
      const sent = log.some((event) => event.type === 'message-sent' && event.messageID === messageID)
      record.checkpoint = checkpoint
      aborting = undefined
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
      if (interruption.reason() !== undefined) return interrupted()

      const parts = partsInLog(log, messageID)
      const onStep = await deps.probe(checkpoint.model, id)
      const backend = deps.backend(record.server!)
      const { onAnswer } = signals
      const asks = createAskDesk({
        ...deps.asksOf(record),
        record,
        backend,
        journal,
        log,
        onAnswer,
        deadlineAt,
      })
      const { outcome, failing } = await runTurn({
        backend,
        asks,
        turn: turnOf(record, checkpoint, messageID, deps.defaultAgent, asks.open),
        journal,
        interruption,
        parts,
        limits: {
          ...limits,
          maxRetryAfterMs: deps.retry.maxRetryAfterMs,
          maxRequests: deps.retry.maxTries,
          hasNext: () => nextModel(record, checkpoint, deps.modelsOf(record), deps.isCooling) !== undefined,
          deadlineAt,
        },
        failingSince: checkpoint.retry?.since,
        cut: checkpoint.cut,
        onStep,
        abort: abortSession,
      })
      if (outcome === undefined) return interrupted()
      const isLast = index === messages.length - 1
      const isProbe = onStep !== undefined
      const disposition = await settle(outcome, { checkpoint, messageID, parts, failing, isLast, isProbe })
      if (disposition !== undefined) return disposition
    }
    return finish('succeeded')
  }

  /** The table, or what is known of the model, may be another than when it was chosen. */
  async function reconsiderModel(): Promise<void> {
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

  /** Books what a turn cost and says how the task goes on; `undefined`: at once, with what the record says. */
  async function settle(outcome: RunOutcome, turn: SettledTurn): Promise<Disposition | undefined> {
    const { checkpoint, messageID, parts, isLast } = turn
    const costMicroUsd = deps.price(outcome.model, outcome.usage, outcome.costMicroUsd)
    spend(record, { usage: outcome.usage, costMicroUsd })
    if (outcome.status === 'finished') {
      const { model, usage, finish: reason, text } = outcome
      const result: MessageResult = { messageID, model, text, finish: reason, usage, costMicroUsd }
      record.done = [...record.done, result]
      record.checkpoint = null
      journal.add({ type: 'message-finished', messageID, model, finish: reason, usage, costMicroUsd })
      if (isLast) return finish('succeeded')
      return (await journal.commit(spentFields(record))) ? undefined : { status: 'stale' }
    }
    const reason = interruption.reason()
    if (reason === 'cancelled' || reason === 'task_timeout') return interrupted()
    if (outcome.status === 'aborted') return fail({ ...ABORTED_BY_SOMEBODY, model: checkpoint.model })
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
    if (after.action === 'final') return fail(after.error)
    for (const entry of discardAll(parts, messageID)) journal.add(entry)
    record.checkpoint = after.checkpoint
    if (after.action === 'same') return backoff(after.delayMs)
    record.model = after.checkpoint.model
    journal.add({ type: 'model-changed', from: checkpoint.model, to: record.model, reason: after.reason })
    const fields = { ...spentFields(record), model: record.model }
    return (await journal.commit(fields)) ? undefined : { status: 'stale' }
  }

  /** OpenCode is away: the same request again later, since nothing new is paid for. */
  function later(): Promise<Disposition> {
    return backoff(backoffMs(record.attempt, deps.retry))
  }

  async function backoff(wantedMs: number): Promise<Disposition> {
    const delayMs = Math.max(0, Math.min(wantedMs, deadlineAt - deps.now()))
    const written = await journal.commit(
      { ...spentFields(record), delayUntil: deps.now() + delayMs },
      'delayed',
    )
    if (!written) return { status: 'stale' }
    // The write itself may have brought the news: the next claim ends the task, so let it come now.
    return interruption.reason() === 'cancelled' ? { status: 'handed-over' } : { status: 'backoff', delayMs }
  }

  /** Ends or hands over, as the first interruption says. */
  async function interrupted(): Promise<Disposition> {
    const reason = interruption.reason() ?? record.checkpoint?.abort
    if (reason === 'stale') return { status: 'stale' }
    if (reason === 'stop') {
      const written = await journal.commit(spentFields(record), 'waiting')
      return written ? { status: 'handed-over' } : { status: 'stale' }
    }
    // A take-over may find an abort that was decided and not done; a second one does no harm.
    let isReached = true
    if (record.sessionID !== null && record.checkpoint !== null) {
      const mine = await abortSession().catch(() => {
        isReached = false
        return true
      })
      if (!mine) return { status: 'stale' }
    }
    if (reason === 'cancelled') return finish('cancelled', failure('cancelled', 'The task was cancelled'))
    const seconds = Math.round(limits.timeoutMs / 1000)
    if (!isReached) return fail(outcomeUncertain(record.server!, seconds))
    return fail(failure('task_timeout', `Cannot finish the task: ${seconds} s since its start are over`))
  }

  /**
   * Once in a turn; what is meant is written down before, which also proves that the task is still ours.
   * `false`: it is not. Rejects when the server does not do it; one that is slow is not waited for long.
   */
  function abortSession(cut?: TurnCut): Promise<boolean> {
    const ask = async () => {
      const directory = record.directory ?? undefined
      await deps.backend(record.server!).abort({ sessionID: record.sessionID!, directory })
    }
    const reason = interruption.reason() ?? record.checkpoint!.abort
    const abort = reason === 'cancelled' || reason === 'task_timeout' ? reason : undefined
    record.checkpoint = { ...record.checkpoint!, ...(abort ? { abort } : cut && { cut }) }
    aborting ??= journal.commit({ checkpoint: JSON.stringify(record.checkpoint) }).then(async (mine) => {
      // A turn that was only cut is followed by another one in its session.
      const burying = mine && abort ? deps.bury(record, deps.now()).catch(() => {}) : undefined
      if (mine) await withinMs(Promise.all([ask(), burying]), ABORT_PATIENCE_MS)
      return mine
    })
    return aborting
  }

  function fail(error: TaskFailure): Promise<Disposition> {
    return finish('failed', error)
  }

  async function finish(
    state: 'succeeded' | 'failed' | 'cancelled',
    error?: TaskFailure,
  ): Promise<Disposition> {
    // Before anything is final: what cannot be told now is told at the next attempt.
    const diff = state === 'succeeded' && record.worktree !== null && { diff: await diffOf(record, deps) }
    journal.add({ type: 'task-finished', state, ...(error && { error }) })
    const written = await journal.commit(
      { ...spentFields(record), ...diff, ...(error && { error: JSON.stringify(error) }) },
      state,
    )
    if (written && record.input.isolation === 'worktree') await leaveWorktree(record, deps)
    return written ? { status: 'finished', state, ...(error && { error }) } : { status: 'stale' }
  }
}

interface SettledTurn {
  checkpoint: Checkpoint
  messageID: string
  parts: PartTexts
  failing: Failing
  isLast: boolean
  isProbe: boolean
}

function sentNow(checkpoint: Checkpoint): Checkpoint {
  if (!checkpoint.retry?.isDue) return checkpoint
  const { isDue: _, ...retry } = checkpoint.retry
  return { ...checkpoint, retry }
}

const ABORTED_BY_SOMEBODY = failure(
  'turn_aborted',
  'Cannot finish the turn: its OpenCode session was aborted by somebody else',
)

/** What a task has come to so far, ready to be written. */
function spentFields(record: TaskRecord): RecordFields {
  return {
    checkpoint: record.checkpoint === null ? '' : JSON.stringify(record.checkpoint),
    done: JSON.stringify(record.done),
    usage: JSON.stringify(record.usage),
    costMicroUsd: record.costMicroUsd,
  }
}
