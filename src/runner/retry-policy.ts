/** Who decides whether a task is tried again: tierline, here, and nobody else. Pure. */
import type { TurnError } from '../sessions/backend.ts'

export interface RetryPolicy {
  /** Paid tries of one message, the first included. */
  maxTries: number
  /** Wait before the second try; doubles with each further one. */
  backoffMs: number
  maxBackoffMs: number
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = { maxTries: 3, backoffMs: 1_000, maxBackoffMs: 60_000 }

/** How long to wait before try `tries + 1`; `undefined`: no further one. */
export function nextTryAfterMs(error: TurnError, tries: number, policy: RetryPolicy): number | undefined {
  if (!error.retryable || tries >= policy.maxTries) return undefined
  return backoffMs(tries, policy)
}

/** Exponential, from the first wait (`count` 1) up to the longest. */
export function backoffMs(count: number, policy: RetryPolicy): number {
  return Math.min(policy.backoffMs * 2 ** Math.min(count - 1, 30), policy.maxBackoffMs)
}
