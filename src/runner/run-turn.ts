import type { SessionBackend, Turn, TurnEvent, TurnOutcome } from '../sessions/backend.ts'
import { NO_USAGE } from '../tasks/usage.ts'
import type { InterruptionSource } from './interruption.ts'
import type { Journal } from './journal.ts'
import { discardOpen, entriesFor, type PartTexts } from './part-texts.ts'

/** How long an abort may take, and the turn to end after it; a child session needs up to 0.3 s. */
export const ABORT_PATIENCE_MS = 10_000

export interface RunTurnOptions {
  backend: SessionBackend
  turn: Turn
  journal: Journal
  interruption: InterruptionSource
  /** What the log holds of this turn already. */
  parts: PartTexts
  /** Aborts the session. `false`: another worker has the task, so nothing was aborted. */
  abort(): Promise<boolean>
}

/**
 * Runs one message and relays what happens into the journal.
 *
 * An interruption that ends the task aborts the session and waits for the turn's end, so that what was
 * spent is known. One that does not only stops listening: the outcome is then `undefined`.
 */
export async function runTurn(options: RunTurnOptions): Promise<TurnOutcome | undefined> {
  const { backend, turn, journal, interruption, parts, abort } = options
  const listening = new AbortController()
  let patience: NodeJS.Timeout | undefined
  let spent = { usage: NO_USAGE, costMicroUsd: 0, steps: 0 }

  const stopListening = () => listening.abort()
  const onInterruption = () => {
    if (!endsTask(interruption)) return stopListening()
    patience = setTimeout(stopListening, ABORT_PATIENCE_MS)
    abort().then((mine) => mine || stopListening(), stopListening)
  }
  interruption.signal.addEventListener('abort', onInterruption, { once: true })
  if (interruption.signal.aborted) onInterruption()

  try {
    for await (const event of backend.runTurn(turn, listening.signal)) {
      if (event.type === 'turn-ended') {
        for (const entry of discardOpen(parts, turn.messageID)) journal.add(entry)
        return event.outcome
      }
      if (event.type === 'usage') spent = event
      else relay(event)
    }
  } catch (error) {
    if (!listening.signal.aborted) throw error
  } finally {
    clearTimeout(patience)
    interruption.signal.removeEventListener('abort', onInterruption)
  }
  return endsTask(interruption) ? { status: 'aborted', model: turn.model, ...spent } : undefined

  function relay(event: Exclude<TurnEvent, { type: 'usage' | 'turn-ended' }>): void {
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
    } else {
      journal.add(event)
    }
  }
}

function endsTask({ reason }: InterruptionSource): boolean {
  return reason() === 'cancelled' || reason() === 'task_timeout'
}
