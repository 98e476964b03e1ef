import { expect, test } from 'vitest'
import { backoffMs, nextTryAfterMs } from '../../src/runner/retry-policy.ts'
import type { TurnError } from '../../src/sessions/backend.ts'

const policy = { maxTries: 4, backoffMs: 100, maxBackoffMs: 250 }

test('nextTryAfterMs() waits longer each time, up to the longest wait and the last try', () => {
  expect([1, 2, 3, 4, 5].map((tries) => nextTryAfterMs(error({ retryable: true }), tries, policy))).toEqual([
    100,
    200,
    250,
    undefined,
    undefined,
  ])
})

test('nextTryAfterMs() tries nothing again that cannot be helped', () => {
  expect(nextTryAfterMs(error({ retryable: false }), 1, policy)).toBeUndefined()
})

test('backoffMs() stays finite however often a task was tried', () => {
  expect(backoffMs(10_000, policy)).toBe(250)
  expect(backoffMs(10_000, { ...policy, backoffMs: 0 })).toBe(0)
})

function error({ retryable }: { retryable: boolean }): TurnError {
  return { code: 'provider_error', message: 'overloaded', retryable, httpStatus: 503 }
}
