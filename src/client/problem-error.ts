/** What a server answers when it refuses → the error that the client throws. */
import { type BudgetFigures, ERRORS, type ErrorCode, type FieldError, TierlineError } from '../errors.ts'

/**
 * The error that a problem+json body stands for, with its code, fields and `retryAfterMs`.
 *
 * A code of a newer server is kept as it is, with its `httpStatus`; a body that is no problem becomes `unexpected_answer`.
 */
export function errorOfProblem(
  body: unknown,
  answer: { status: number; retryAfterMs?: number },
): TierlineError {
  const { status, retryAfterMs } = answer
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs }
  if (!isProblem(body))
    return new TierlineError(
      'unexpected_answer',
      `Cannot use the answer: HTTP ${status} without a problem body, so it is not tierline that answers at this URL`,
      { httpStatus: status, retryable: status >= 500, ...wait },
    )
  // `Object.hasOwn`: a code such as "toString" is unknown, too.
  const known = Object.hasOwn(ERRORS, body.code) ? ERRORS[body.code as ErrorCode] : undefined
  // The log of the server speaks of a failure under the id of the request.
  const where = status >= 500 && body.requestID !== undefined ? ` (request ${body.requestID})` : ''
  return new TierlineError(body.code as ErrorCode, `${body.detail}${where}`, {
    errors: body.errors ?? [],
    retryable: known?.retryable ?? (status === 429 || status >= 500),
    ...(known === undefined && { httpStatus: status }),
    ...(body.budget && { budget: body.budget }),
    ...wait,
  })
}

/** `Retry-After` in milliseconds: seconds or a date; `undefined` when there is none. */
export function retryAfterMsOf(headers: Headers, now: number): number | undefined {
  const value = headers.get('retry-after')
  if (value === null) return undefined
  const seconds = Number(value)
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - now
  return Number.isNaN(waitMs) ? undefined : Math.max(0, waitMs)
}

interface ProblemBody {
  code: string
  detail: string
  requestID?: string
  errors?: FieldError[]
  budget?: BudgetFigures
}

// By hand and not by zod, which would be most of what a browser has to load.
function isProblem(body: unknown): body is ProblemBody {
  const { code, detail, requestID, errors } = (body ?? {}) as Record<string, unknown>
  return (
    typeof code === 'string' &&
    typeof detail === 'string' &&
    (requestID === undefined || typeof requestID === 'string') &&
    (errors === undefined || Array.isArray(errors))
  )
}
