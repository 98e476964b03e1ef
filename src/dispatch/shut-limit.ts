import type { Shut } from '../gates/gate.ts'
import type { LimitAnswer } from '../limits/limiter.ts'

/** Should nobody look after the limits either. For each who waits before it. */
const SAFETY_WAKE_MS = 30_000
const LONGEST_SAFETY_WAKE_MS = 10 * 60_000

/** What a task is told that a limit refused: `acme/big: 2 of 2 running`. */
export function shutOf(answer: Extract<LimitAnswer, { status: 'shut' }>, now: number): Shut {
  const { limit, what, used, of, place, opensInMs } = answer
  const kind = limit.slice(0, limit.indexOf(':'))
  const name = limit.slice(kind.length + 1)
  const subject = kind === 'key' ? `key ${name}` : name
  const detail =
    what === 'concurrency'
      ? `${subject}: ${used} of ${of} running`
      : `${subject}: ${used} of ${of} ${what} this minute`
  const safetyMs = Math.min(place * SAFETY_WAKE_MS, LONGEST_SAFETY_WAKE_MS)
  return {
    status: 'shut',
    detail,
    until: opensInMs === undefined ? null : now + opensInMs,
    wakeInMs: opensInMs ?? safetyMs,
  }
}
