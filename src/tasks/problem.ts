import { z } from 'zod'
import { ERRORS, TierlineError } from '../errors.ts'
import { BudgetFigures } from './budget-view.ts'

/** RFC 9457 problem+json, with a stable `code` and the fields that are wrong. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().optional(),
  code: z.string(),
  requestID: z.string().optional(),
  budget: BudgetFigures.optional(),
  errors: z
    .array(
      z.object({
        field: z.string(),
        message: z.string(),
        given: z.unknown().optional(),
        allowed: z.array(z.string()).optional(),
      }),
    )
    .optional(),
})
export type Problem = z.infer<typeof Problem>

/** What a client is told of an error. An error that is not ours becomes `internal_error`, without its message. */
export function problemOf(error: unknown, where: { instance?: string; requestID?: string } = {}): Problem {
  const known =
    error instanceof TierlineError
      ? error
      : new TierlineError(
          'internal_error',
          'Cannot answer this request: the server failed; its log says more',
        )
  return {
    type: `/docs/errors#${known.code}`,
    title: ERRORS[known.code].title,
    status: ERRORS[known.code].status,
    detail: known.message,
    ...where,
    code: known.code,
    ...(known.budget && { budget: { ...known.budget } }),
    ...(known.errors.length > 0 && {
      errors: known.errors.map(({ allowed, ...rest }) => ({
        ...rest,
        ...(allowed && { allowed: [...allowed] }),
      })),
    }),
  }
}
