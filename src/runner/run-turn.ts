import { isTierlineError, TierlineError } from '../errors.ts'
import type { TurnCut } from '../records/task-record.ts'
import type { SessionBackend, Spending, Turn, TurnEvent, TurnOutcome } from '../sessions/backend.ts'
import type { AskDesk } from './ask-desk.ts'
import type { InterruptionSource } from './interruption.ts'
import type { Journal } from './journal.ts'
import { discardOpen, entriesFor, type PartTexts } from './part-texts.ts'
import { errorOfCut, type RunError } from './run-error.ts'
import { createTurnGuard, type Failing, type TurnLimits } from './turn-guard.ts'

/** How long an abort may take, and the turn to end after it; a child session needs up to 0.3 s. */
export const ABORT_PATIENCE_MS = 10_000

export interface RunTurnOptions {
  backend: SessionBackend
  turn: Turn
  journal: Journal
  interruption: InterruptionSource
  /** What the log holds of this turn already. */
  parts: PartTexts
  limits: TurnLimits
  asks: AskDesk
  /** When the provider began to fail, before this turn. */
  failingSince: number | undefined
  /** The turn was cut by a predecessor: it is aborted, and only its end is waited for. */
  cut: TurnCut | undefined
  /** Called at each step of the model that went well. */
  onStep: (() => void) | undefined
  /** Called with all that becomes known of the turn's money, as it does. */
  onSpent(spendings: readonly Spending[]): void
  /** Asked then, while the turn goes on: gives a limit of money when one is reached. */
  mayGoOn: ((spendings: readonly Spending[]) => Promise<TurnCut | undefined>) | undefined
  /**
   * Aborts the session, for a limit of the turn when one is given. `false`: another worker has the task, so
   * nothing was aborted.
   */
  abort(cut?: TurnCut): Promise<boolean>
}

/** What became of a turn; one that a limit of ours has cut has failed by it. */
export type RunOutcome =
  | Exclude<TurnOutcome, { status: 'failed' }>
  | (Omit<Extract<TurnOutcome, { status: 'failed' }>, 'error'> & { error: RunError })

/**
 * Runs one message and relays what happens into the journal.
 *
 * An interruption that ends the task, and a limit that ends the turn, abort the session and wait for the
 * turn's end, so that what was spent is known. Any other only stops listening: `outcome` is then `undefined`.
 *
 * @throws {TierlineError} `opencode_unavailable`, also when a turn that was cut does not end.
 */
export async function runTurn(
  options: RunTurnOptions,
): Promise<{ outcome: RunOutcome | undefined; failing: Failing }> {
  const { backend, turn, journal, interruption, parts, asks } = options
  const listening = new AbortController()
  let cut = options.cut
  let patience: NodeJS.Timeout | undefined
  let aborting: Promise<void> | undefined
  let unabortable: unknown
  let steps = 0

  const stopListening = () => listening.abort()
  const abort = () => {
    patience ??= setTimeout(stopListening, ABORT_PATIENCE_MS)
    aborting ??= options.abort(cut).then(
      (mine) => {
        if (!mine) stopListening()
      },
      (error) => {
        unabortable = error
        stopListening()
      },
    )
  }
  const onInterruption = () => (endsTask(interruption) ? abort() : stopListening())
  const guard = createTurnGuard(options.limits, options.failingSince, (reason) => {
    cut = reason
    abort()
  })
  interruption.signal.addEventListener('abort', onInterruption, { once: true })
  if (interruption.signal.aborted) onInterruption()
  else if (cut) abort()

  try {
    return { outcome: await listen(), failing: guard.failing }
  } finally {
    guard.close()
    asks.close()
    clearTimeout(patience)
    interruption.signal.removeEventListener('abort', onInterruption)
  }

  async function listen(): Promise<RunOutcome | undefined> {
    try {
      for await (const event of backend.runTurn(turn, listening.signal)) {
        guard.saw(event)
        if (event.type === 'turn-ended') {
          for (const entry of discardOpen(parts, turn.messageID)) journal.add(entry)
          await asks.over()
          // An abort that is still under way would hit the next turn of the session.
          if (cut) await aborting
          return cutOutcome(event.outcome)
        }
        if (event.type === 'asked' || event.type === 'ask-gone') asks.take(event)
        else if (event.type === 'spent') {
          options.onSpent(event.spendings)
          if (event.goesOn) watchMoney(event.spendings)
        } else if (event.type === 'step') {
          steps = event.steps
          options.onStep?.()
        } else relay(event)
      }
    } catch (error) {
      if (!listening.signal.aborted) throw error
    }
    if (endsTask(interruption)) return { status: 'aborted', model: turn.model, spendings: [], steps }
    if (cut === undefined || interruption.signal.aborted) return undefined
    // It may still run, so nothing else may be sent: the next attempt begins with the abort.
    throw isTierlineError(unabortable) ? unabortable : stuck()
  }

  /** What cannot be asked now is asked after the next step. */
  function watchMoney(spendings: readonly Spending[]): void {
    options.mayGoOn?.(spendings).then(
      (reason) => reason && guard.end(reason),
      () => {},
    )
  }

  function cutOutcome(outcome: TurnOutcome): RunOutcome {
    if (cut === undefined || outcome.status === 'finished') return outcome
    const error = errorOfCut(cut)
    const isProviders = outcome.status === 'failed' && cut.code === 'provider_error'
    return { ...outcome, status: 'failed', error: isProviders ? outcome.error : error }
  }

  function relay(
    event: Exclude<TurnEvent, { type: 'spent' | 'step' | 'turn-ended' | 'asked' | 'ask-gone' }>,
  ): void {
    if ('partID' in event) {
      for (const entry of entriesFor(parts, event, turn.messageID)) journal.add(entry)
    } else if (event.type === 'turn-resumed') {
      journal.add({
        type: 'turn-resumed',
        messageID: turn.messageID,
        model: turn.model,
        reason: event.reason,
      })
    } else if (event.type === 'provider-retry') {
      journal.add({
        type: 'provider-retry',
        try: event.attempt,
        nextAt: event.nextAt,
        message: event.message,
      })
    } else if (event.type !== 'alive') {
      journal.add(event)
    }
  }
}

function endsTask({ reason }: InterruptionSource): boolean {
  return reason() === 'cancelled' || reason() === 'task_timeout'
}

function stuck(): TierlineError {
  return new TierlineError('opencode_unavailable', 'Cannot abort the turn: OpenCode goes on with it')
}
