import { expect, test } from 'vitest'
import { backoffMs, decide, RETRY_TABLE, ruleFor, type Standing } from '../../src/runner/retry-policy.ts'
import type { RunError } from '../../src/runner/run-error.ts'

const policy = {
  maxTries: 3,
  backoffMs: 100,
  maxBackoffMs: 250,
  maxRetryAfterMs: 1_000,
  cooldownMs: 0,
  maxCooldownMs: 0,
}
const alone: Standing = { tries: 1, requests: 6, hasNext: false, waitMsLeft: 10_000 }
const withNext: Standing = { tries: 1, requests: 1, hasNext: true, waitMsLeft: 10_000 }

test.each<[string, Partial<RunError>]>([
  ['rate limit', { httpStatus: 429 }],
  ['provider fails', { httpStatus: 500 }],
  ['provider fails', { httpStatus: 529 }],
  ['provider too slow', { httpStatus: 408 }],
  ['credentials refused', { code: 'provider_auth', httpStatus: 401 }],
  ['credentials refused', { code: 'provider_auth', httpStatus: undefined }],
  ['nothing left to pay with', { httpStatus: 402 }],
  ['no such model there', { httpStatus: 404 }],
  ['model not offered', { code: 'unknown_model' }],
  ['connection lost', { cause: 'network' }],
  ['no answer in time', { cause: 'timeout' }],
  ['provider overloaded', { cause: 'overloaded' }],
  ['malformed answer', { cause: 'malformed' }],
  ['silent stream', { code: 'stream_silent' }],
  ['provider error that may pass', { httpStatus: 409 }],
  ['turn lost by OpenCode', { code: 'turn_failed' }],
  ['anything else', { httpStatus: 400, retryable: false }],
  ['anything else', { code: 'context_overflow', retryable: false }],
  ['anything else', { code: 'unknown_agent', retryable: false }],
  ['anything else', { code: 'turn_failed', retryable: false }],
  ['anything else', { code: 'too_many_steps', retryable: false }],
])('ruleFor() finds "%s" for %j', (name, error) => {
  expect(ruleFor(errorOf(error)).name).toBe(name)
})

test('RETRY_TABLE has no two rules of one name, and ends with one that always fits', () => {
  expect(new Set(RETRY_TABLE.map(({ name }) => name)).size).toBe(RETRY_TABLE.length)
  expect(RETRY_TABLE.at(-1)).toMatchObject({ when: {}, action: 'final' })
})

test('decide() waits longer each time, up to the longest wait and the last try', () => {
  const error = errorOf({ httpStatus: 503 })
  const decisions = [1, 2].map((tries) => decide(error, { ...alone, tries }, policy))

  expect(decisions).toEqual([
    { action: 'same', delayMs: 100 },
    { action: 'same', delayMs: 200 },
  ])
  expect(decide(error, { ...alone, tries: 3 }, policy)).toEqual({ action: 'final', isWaitOver: false })
})

test('decide() goes to the next model after so many requests, whoever made them', () => {
  const error = errorOf({ httpStatus: 503 })

  expect(decide(error, withNext, policy)).toMatchObject({ action: 'same' })
  expect(decide(error, { ...withNext, requests: 3 }, policy)).toEqual({ action: 'next' })
  expect(decide(error, { ...withNext, tries: 3 }, policy)).toEqual({ action: 'next' })
})

test('decide() honours what the provider asks to wait, up to a limit while there is a next model', () => {
  const short = errorOf({ httpStatus: 429, retryAfterMs: 900 })
  const long = errorOf({ httpStatus: 429, retryAfterMs: 5_000 })

  expect(decide(short, withNext, policy)).toEqual({ action: 'same', delayMs: 900 })
  expect(decide(long, withNext, policy)).toEqual({ action: 'next' })
  expect(decide(long, alone, policy)).toEqual({ action: 'same', delayMs: 5_000 })
})

test('decide() does not begin a wait that is too long', () => {
  const error = errorOf({ httpStatus: 429, retryAfterMs: 900 })

  expect(decide(error, { ...alone, waitMsLeft: 800 }, policy)).toEqual({ action: 'final', isWaitOver: true })
  expect(decide(error, { ...withNext, waitMsLeft: 800 }, policy)).toEqual({ action: 'next' })
})

test('decide() leaves a model at once that will not answer, and fails where there is no other', () => {
  const refused = errorOf({ code: 'provider_auth', retryable: false })

  expect(decide(refused, withNext, policy)).toEqual({ action: 'next' })
  expect(decide(refused, alone, policy)).toEqual({ action: 'final', isWaitOver: false })
})

test('decide() tries a silent model again where there is no other', () => {
  expect(decide(errorOf({ code: 'stream_silent' }), alone, policy)).toEqual({ action: 'same', delayMs: 100 })
})

test('decide() takes no other model where none can help', () => {
  const error = errorOf({ code: 'context_overflow', retryable: false })
  expect(decide(error, withNext, policy)).toEqual({ action: 'final', isWaitOver: false })
})

test('backoffMs() stays finite however often a task was tried', () => {
  expect(backoffMs(10_000, policy)).toBe(250)
  expect(backoffMs(10_000, { ...policy, backoffMs: 0 })).toBe(0)
})

function errorOf(error: Partial<RunError>): RunError {
  return { code: 'provider_error', message: 'no', retryable: true, httpStatus: undefined, ...error }
}
