import { TierlineError } from '../../errors.ts'

/** What OpenCode's clients look for in the body of an error, beside what tierline's do. */
export interface OpenCodeError {
  name: string
  data: { message: string }
}

/** `{ name: 'NotFoundError', data: { message } }`, as OpenCode names what is wrong. */
export function openCodeErrorOf(status: number, message: string): OpenCodeError {
  return { name: nameOf(status), data: { message } }
}

function nameOf(status: number): string {
  if (status === 404) return 'NotFoundError'
  if (status === 400 || status === 413 || status === 415 || status === 422) return 'BadRequest'
  return status === 401 || status === 403
    ? 'ForbiddenError'
    : status === 409
      ? 'ConflictError'
      : 'UnknownError'
}

/** An answer that failed when its status was out already: in `info.error`, where OpenCode puts such. */
export function failedAnswer(sessionID: string, error: unknown): object {
  const message =
    error instanceof TierlineError
      ? error.message
      : 'Cannot answer this request: the server failed; its log says more'
  return {
    info: {
      id: 'msg_failed',
      sessionID,
      role: 'assistant',
      time: { created: Date.now(), completed: Date.now() },
      error: {
        name: 'UnknownError',
        data: { message, ...(error instanceof TierlineError && { code: error.code }) },
      },
    },
    parts: [],
  }
}
