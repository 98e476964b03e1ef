import { setTimeout as sleep } from 'node:timers/promises'
import { isTierlineError } from '../../errors.ts'
import { OpenCodeRefusal } from './refusal.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 1_000

/** Pauses between tries: 100 ms, doubling up to 1 s. */
export function createBackoff(): { pause(signal: AbortSignal): Promise<void>; reset(): void } {
  let pauseMs = FIRST_PAUSE_MS
  return {
    async pause(signal) {
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
    },
    reset() {
      pauseMs = FIRST_PAUSE_MS
    },
  }
}

/**
 * Asks again while the server is away or stumbles (5xx), for at most `patienceMs`; then throws the last error.
 * Only for requests that may be repeated, or for errors of which `mayRepeat` says so.
 *
 * @throws the reason of `signal` when that aborts.
 */
export async function patiently<T>(
  patienceMs: number,
  signal: AbortSignal,
  ask: () => Promise<T>,
  mayRepeat: (error: unknown) => boolean = isPassing,
): Promise<T> {
  const deadline = Date.now() + patienceMs
  const backoff = createBackoff()
  while (true) {
    try {
      return await ask()
    } catch (error) {
      signal.throwIfAborted()
      if (!mayRepeat(error) || Date.now() >= deadline) throw error
      await backoff.pause(signal)
      signal.throwIfAborted()
    }
  }
}

/** The server is away, or stumbles. */
export function isPassing(error: unknown): boolean {
  if (error instanceof OpenCodeRefusal) return error.status >= 500
  return isTierlineError(error, 'opencode_unavailable')
}
