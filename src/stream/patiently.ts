import { setTimeout as sleep } from 'node:timers/promises'
import { isTierlineError } from '../errors.ts'
import { translateRedisError } from '../redis/redis-unavailable.ts'

const AGAIN_MS = 250

/**
 * Asks again while Redis is away: for whoever was served before and would only begin anew.
 *
 * Gives `undefined` when `signal` aborts meanwhile. @throws everything but `redis_unavailable`.
 */
export async function patiently<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await ask()
    } catch (error) {
      // It may come from below the border where errors become ours.
      if (!isTierlineError(translateRedisError(error), 'redis_unavailable')) throw error
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => {})
    }
  }
  return undefined
}
