import { describe, type Refusal } from '../budget/on-refusal.ts'
import type { Shut } from '../gates/gate.ts'

const SAFETY_WAKE_MS = 30_000
const LONGEST_SAFETY_WAKE_MS = 10 * 60_000
/** Of tasks that wait for the same window, so that they do not all come at once: who is first wakes the others. */
const BETWEEN_WAKES_MS = 1_000
const LONGEST_EXTRA_MS = 60_000

/** What a task waits for that a budget refuses now. `place`: in line, from 0; `now`: by the clock of Redis. */
export function waitFor(
  { by, until }: Extract<Refusal, { action: 'wait' }>,
  place: number,
  now: number,
): Omit<Shut, 'status'> {
  const wakeInMs =
    until === null
      ? Math.min((place + 1) * SAFETY_WAKE_MS, LONGEST_SAFETY_WAKE_MS)
      : Math.max(0, until - now) + Math.min(place * BETWEEN_WAKES_MS, LONGEST_EXTRA_MS)
  return { detail: describe(by), until, wakeInMs }
}
