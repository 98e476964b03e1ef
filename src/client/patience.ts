import { isTierlineError } from '../errors.ts'

const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 5_000

/** A longer time, such as `Infinity`, a timer takes for one millisecond. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

export interface Patience {
  /** It works again: the clock and the delays start anew. */
  reset(): void
  /**
   * Waits before the next try, longer each time, or as long as the server asked for.
   *
   * Throws the error itself when a repeat cannot help or the patience is over; returns at once at `signal`.
   */
  bear(error: unknown): Promise<void>
}

/** How long a reader bears that a server is away: restarts pass unseen, an end of it is told. */
export function createPatience(patienceMs: number, signal: AbortSignal | undefined): Patience {
  let failures = 0
  let since = 0

  return {
    reset() {
      failures = 0
    },
    async bear(error) {
      if (!isTierlineError(error) || !error.retryable) throw error
      const now = performance.now()
      if (failures === 0) since = now
      const leftMs = since + patienceMs - now
      if (leftMs <= 0) throw error
      // Half fixed, half by chance: many readers of one server come back one by one.
      const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** failures) * (0.5 + Math.random() / 2)
      failures += 1
      await pause(Math.min(error.retryAfterMs ?? delayMs, leftMs), signal)
    },
  }
}

/** Resolves after `delayMs`, or at once when `signal` aborts. */
export function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, Math.min(delayMs, LONGEST_TIMER_MS))
    signal?.addEventListener('abort', done)
  })
}
