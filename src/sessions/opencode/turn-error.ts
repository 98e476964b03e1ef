/** OpenCode's errors in tierline's words. Pure. */

import type { TurnError } from '../backend.ts'
import type { OpenCodeRefusal } from './refusal.ts'
import type { WireError } from './wire.ts'

const LONGEST_MESSAGE = 500

/** By the error's name and what the provider answered; by its words only where OpenCode has nothing else. */
export function turnError({ name, data }: WireError): TurnError {
  const message = plainMessage(data.message ?? name)
  const httpStatus = data.statusCode
  const retryAfterMs = retryAfterIn(data.responseHeaders)
  const error = (code: TurnError['code'], retryable = false, cause?: TurnError['cause']): TurnError => ({
    code,
    message,
    retryable,
    httpStatus,
    ...(cause && { cause }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
  switch (name) {
    case 'ProviderAuthError':
      return error('provider_auth')
    case 'ContextOverflowError':
      return error('context_overflow')
    case 'APIError':
      if (httpStatus === 401 || httpStatus === 403) return error('provider_auth')
      return error(
        'provider_error',
        data.isRetryable ?? isTemporary(httpStatus),
        httpStatus === undefined ? causeIn(message) : undefined,
      )
    case 'UnknownError':
      return unknownError(message, error)
    default:
      return error('turn_failed')
  }
}

function unknownError(
  message: string,
  error: (code: TurnError['code'], retryable?: boolean, cause?: TurnError['cause']) => TurnError,
): TurnError {
  if (/^(?:ProviderModelNotFoundError: )?Model not found:/.test(message)) return error('unknown_model')
  if (/^Agent not found:/.test(message)) return error('unknown_agent')
  // A provider that sends rubbish, is slow or says so in the stream: another try may go well.
  const cause = causeIn(message)
  return cause ? error('provider_error', true, cause) : error('turn_failed')
}

function causeIn(message: string): TurnError['cause'] {
  if (/JSON parsing failed/i.test(message)) return 'malformed'
  if (/timed? ?out/i.test(message)) return 'timeout'
  if (/overloaded/i.test(message)) return 'overloaded'
  if (/ECONN|socket|network|connection|fetch failed/i.test(message)) return 'network'
  return undefined
}

/** Seconds, a date, or the milliseconds that some providers send. `undefined`: says nothing, or nothing sensible. */
function retryAfterIn(headers: Readonly<Record<string, unknown>> = {}): number | undefined {
  const header = (name: string): string => String(headers[name] ?? '')
  const exact = Number.parseFloat(header('retry-after-ms'))
  if (exact >= 0) return Math.ceil(exact)
  const after = header('retry-after')
  if (/^\d/.test(after)) return Math.ceil(Number.parseFloat(after) * 1000)
  const waitMs = Date.parse(after) - Date.parse(header('date') || new Date().toUTCString())
  return Number.isFinite(waitMs) ? Math.max(0, waitMs) : undefined
}

function isTemporary(status: number | undefined): boolean {
  return status === undefined || status === 408 || status === 429 || status >= 500
}

/** OpenCode's own words without its stack trace, and without what looks like a key. */
function plainMessage(message: string): string {
  const [words = ''] = message.split(/\n\s+at /)
  return words
    .replace(/\b(?:sk|pk|key)-[\w-]{8,}|\bBearer\s+\S+/g, '***')
    .slice(0, LONGEST_MESSAGE)
    .trim()
}

/** True for the second report of one error, which is nothing but a stack trace. */
export function isStackTrace({ data }: WireError): boolean {
  return /\n\s+at /.test(data.message ?? '')
}

/** What becomes of a turn that is sent again and again without a step of progress. */
export const LOST_AGAIN: TurnError = {
  code: 'turn_failed',
  message: 'OpenCode took the message several times and did nothing about it',
  retryable: true,
  httpStatus: undefined,
}

/** The session may be gone (404), and with it what became of a message that was sent there before. */
export function refusedTurn({ status, message }: OpenCodeRefusal, isFirst: boolean): TurnError {
  if (status === 404 && !isFirst) {
    const why = `OpenCode has lost the session, so nobody can tell what became of the message: ${message}`
    return { code: 'outcome_uncertain', message: why, retryable: false, httpStatus: undefined }
  }
  return { code: 'turn_failed', message, retryable: status === 404 || status >= 500, httpStatus: undefined }
}
