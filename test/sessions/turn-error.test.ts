import { describe, expect, test } from 'vitest'
import { isStackTrace, turnError } from '../../src/sessions/opencode/turn-error.ts'

describe('turnError()', () => {
  test.each([
    [{ name: 'ProviderAuthError', data: { message: 'no key' } }, 'provider_auth', false],
    [
      { name: 'APIError', data: { message: 'no', statusCode: 401, isRetryable: false } },
      'provider_auth',
      false,
    ],
    [{ name: 'APIError', data: { message: 'no', statusCode: 403 } }, 'provider_auth', false],
    [
      { name: 'APIError', data: { message: 'no', statusCode: 402, isRetryable: false } },
      'provider_error',
      false,
    ],
    [
      { name: 'APIError', data: { message: 'slow', statusCode: 429, isRetryable: true } },
      'provider_error',
      true,
    ],
    [{ name: 'APIError', data: { message: 'oh', statusCode: 503 } }, 'provider_error', true],
    [{ name: 'APIError', data: { message: 'cut', isRetryable: true } }, 'provider_error', true],
    [{ name: 'ContextOverflowError', data: { message: 'long' } }, 'context_overflow', false],
    [{ name: 'MessageOutputLengthError', data: {} }, 'turn_failed', false],
    [{ name: 'UnknownError', data: { message: 'Model not found: a/b.' } }, 'unknown_model', false],
    [{ name: 'UnknownError', data: { message: 'Agent not found: "x".' } }, 'unknown_agent', false],
    [{ name: 'UnknownError', data: { message: 'The operation timed out.' } }, 'provider_error', true],
    [{ name: 'UnknownError', data: { message: 'Something else' } }, 'turn_failed', false],
    [{ name: 'BrandNewError', data: {} }, 'turn_failed', false],
  ])('%j is %s', (error, code, retryable) => {
    expect(turnError(error)).toMatchObject({ code, retryable })
  })

  test('keeps what the provider answered, and the words of an error that has none', () => {
    expect(turnError({ name: 'APIError', data: { message: 'Slow down', statusCode: 429 } })).toMatchObject({
      message: 'Slow down',
      httpStatus: 429,
    })
    expect(turnError({ name: 'BrandNewError', data: {} }).message).toBe('BrandNewError')
  })

  test('drops stack traces and what looks like a key, and keeps messages short', () => {
    const message = 'ModelError: bad key sk-abcdef1234567890\n    at run (/chunk.js:1:2)\n    at go'
    expect(turnError({ name: 'UnknownError', data: { message } }).message).toBe('ModelError: bad key ***')
    expect(turnError({ name: 'UnknownError', data: { message: 'x'.repeat(9_999) } }).message).toHaveLength(
      500,
    )
  })
})

test('isStackTrace() tells the second report of an error from the first', () => {
  const trace = 'ProviderModelNotFoundError: Model not found: acme/bigg.\n    at <anonymous> (/chunk.js:1:2)'
  expect(isStackTrace({ name: 'UnknownError', data: { message: trace } })).toBe(true)
  expect(isStackTrace({ name: 'UnknownError', data: { message: 'Model not found: acme/bigg.' } })).toBe(false)
})
