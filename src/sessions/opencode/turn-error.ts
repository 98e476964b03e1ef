/** OpenCode's errors in tierline's words. Pure. */
import type { TurnError } from '../backend.ts'
import type { WireError } from './wire.ts'

const LONGEST_MESSAGE = 500

/** By the error's name and what the provider answered; by its words only where OpenCode has nothing else. */
export function turnError({ name, data }: WireError): TurnError {
  const message = plainMessage(data.message ?? name)
  const httpStatus = data.statusCode
  const error = (code: TurnError['code'], retryable = false): TurnError => ({
    code,
    message,
    retryable,
    httpStatus,
  })
  switch (name) {
    case 'ProviderAuthError':
      return error('provider_auth')
    case 'ContextOverflowError':
      return error('context_overflow')
    case 'APIError':
      if (httpStatus === 401 || httpStatus === 403) return error('provider_auth')
      return error('provider_error', data.isRetryable ?? isTemporary(httpStatus))
    case 'UnknownError':
      return unknownError(message, error)
    default:
      return error('turn_failed')
  }
}

function unknownError(
  message: string,
  error: (code: TurnError['code'], retryable?: boolean) => TurnError,
): TurnError {
  if (/^(?:ProviderModelNotFoundError: )?Model not found:/.test(message)) return error('unknown_model')
  if (/^Agent not found:/.test(message)) return error('unknown_agent')
  // A provider that sends rubbish, is slow or says so in the stream: another try may go well.
  if (/JSON parsing failed|timed? ?out|overloaded|ECONNRE|socket|network|connection/i.test(message))
    return error('provider_error', true)
  return error('turn_failed')
}

function isTemporary(status: number | undefined): boolean {
  return status === undefined || status === 408 || status === 429 || status >= 500
}

/** OpenCode's own words without its stack trace, and without what looks like a key. */
export function plainMessage(message: string): string {
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
