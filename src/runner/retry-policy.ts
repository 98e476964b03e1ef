/**
 * Who decides whether and where a task is tried again: tierline, here, and nobody else. Pure.
 *
 * OpenCode tries a provider again by itself and cannot be kept from it: `turn-guard.ts` counts its tries
 * as ours and cuts them off where this policy says so (docs/reliability.md "Retries").
 */
import type { RunError } from './run-error.ts'

export interface RetryPolicy {
  /** Tries of one message on one model, the first included. */
  maxTries: number
  /** Wait before the second try; doubles with each further one. */
  backoffMs: number
  maxBackoffMs: number
  /** The longest `Retry-After` that is waited for while the tier has another model. */
  maxRetryAfterMs: number
  /** How long a model is kept from all tasks that one has given up; doubles while it goes on failing. 0: never. */
  cooldownMs: number
  maxCooldownMs: number
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  maxTries: 3,
  backoffMs: 1_000,
  maxBackoffMs: 60_000,
  maxRetryAfterMs: 60_000,
  cooldownMs: 30_000,
  maxCooldownMs: 600_000,
}

/**
 * `same`: the same model after a wait, then the next one of the chain. `next`: the next one at once; where
 * there is none, the same one if the error says that this may help. `final`: the task fails.
 */
export type RetryAction = 'same' | 'next' | 'final'

export interface RetryRule {
  /** What went wrong, in words for people: part of `model-changed` and of the documentation. */
  readonly name: string
  /** All that is given must fit; the first rule that fits decides. */
  readonly when: {
    readonly httpStatus?: readonly [from: number, to: number]
    readonly code?: RunError['code']
    readonly cause?: RunError['cause']
    readonly retryable?: true
  }
  readonly action: RetryAction
  /** A task that gives the model up for this keeps others from it for a while. */
  readonly cools: boolean
}

/** Held equal to docs/reliability.md by a test. */
export const RETRY_TABLE: readonly RetryRule[] = [
  { name: 'rate limit', when: { httpStatus: [429, 429] }, action: 'same', cools: true },
  { name: 'provider fails', when: { httpStatus: [500, 599] }, action: 'same', cools: true },
  { name: 'provider too slow', when: { httpStatus: [408, 408] }, action: 'same', cools: true },
  { name: 'credentials refused', when: { code: 'provider_auth' }, action: 'next', cools: true },
  { name: 'nothing left to pay with', when: { httpStatus: [402, 402] }, action: 'next', cools: true },
  { name: 'no such model there', when: { httpStatus: [404, 404] }, action: 'next', cools: true },
  { name: 'model not offered', when: { code: 'unknown_model' }, action: 'next', cools: false },
  { name: 'connection lost', when: { cause: 'network' }, action: 'same', cools: true },
  { name: 'no answer in time', when: { cause: 'timeout' }, action: 'same', cools: true },
  { name: 'provider overloaded', when: { cause: 'overloaded' }, action: 'same', cools: true },
  { name: 'malformed answer', when: { cause: 'malformed' }, action: 'same', cools: false },
  { name: 'silent stream', when: { code: 'stream_silent' }, action: 'next', cools: true },
  {
    name: 'provider error that may pass',
    when: { code: 'provider_error', retryable: true },
    action: 'same',
    cools: true,
  },
  {
    name: 'turn lost by OpenCode',
    when: { code: 'turn_failed', retryable: true },
    action: 'same',
    cools: false,
  },
  { name: 'anything else', when: {}, action: 'final', cools: false },
]

/** Where a message stands when its turn has failed. */
export interface Standing {
  /** Turns of this message on this model, this one included. */
  tries: number
  /** Requests of the turn that its provider failed one after the other, this one included. */
  requests: number
  /** The tier has another model which was not given up for this message. */
  hasNext: boolean
  /** How long this task may still wait. */
  waitMsLeft: number
}

export type Decision =
  | { action: 'same'; delayMs: number }
  | { action: 'next' }
  /** `isWaitOver`: another try would have come too late. */
  | { action: 'final'; isWaitOver: boolean }

export function ruleFor(error: RunError): RetryRule {
  return RETRY_TABLE.find(({ when }) => fits(when, error))!
}

function fits({ httpStatus, code, cause, retryable }: RetryRule['when'], error: RunError): boolean {
  if (httpStatus !== undefined) {
    const status = error.httpStatus ?? 0
    if (status < httpStatus[0] || status > httpStatus[1]) return false
  }
  if (code !== undefined && code !== error.code) return false
  if (cause !== undefined && cause !== error.cause) return false
  return retryable === undefined || error.retryable
}

export function decide(error: RunError, standing: Standing, policy: RetryPolicy): Decision {
  const { action } = ruleFor(error)
  const { tries, requests, hasNext, waitMsLeft } = standing
  const { retryAfterMs = 0 } = error
  if (action === 'final') return { action, isWaitOver: false }
  if (hasNext) {
    // With somewhere to go each request counts; with nowhere patience is all there is, and only turns do.
    const isSpent = Math.max(tries, requests) >= policy.maxTries
    if (action === 'next' || isSpent || retryAfterMs > policy.maxRetryAfterMs) return { action: 'next' }
  }
  if (tries >= policy.maxTries || !error.retryable) return { action: 'final', isWaitOver: false }
  const delayMs = Math.max(retryAfterMs, backoffMs(tries, policy))
  if (delayMs <= waitMsLeft) return { action: 'same', delayMs }
  return hasNext ? { action: 'next' } : { action: 'final', isWaitOver: true }
}

/** Exponential, from the first wait (`count` 1) up to the longest. */
export function backoffMs(count: number, policy: RetryPolicy): number {
  return Math.min(policy.backoffMs * 2 ** Math.min(count - 1, 30), policy.maxBackoffMs)
}
