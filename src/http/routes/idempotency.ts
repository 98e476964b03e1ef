/** The header `Idempotency-Key` says the same as `idempotencyKey` of the body. */
import type { IncomingHttpHeaders } from 'node:http'
import { z } from 'zod'
import { TierlineError } from '../../errors.ts'
import { IdempotencyKey } from '../../tasks/input.ts'

export const SubmitHeaders = z.object({
  'idempotency-key': IdempotencyKey.optional().meta({
    description: 'The same as `idempotencyKey` of the body.',
  }),
})

/** The body with the key of the header. @throws {TierlineError} `invalid_input` when it has another one. */
export function withKey(body: unknown, headers: IncomingHttpHeaders): unknown {
  const key = headers['idempotency-key']
  if (key === undefined || typeof body !== 'object' || body === null || Array.isArray(body)) return body
  if (!('idempotencyKey' in body) || body.idempotencyKey === key) return { ...body, idempotencyKey: key }
  throw new TierlineError(
    'invalid_input',
    'Cannot accept the task: its "idempotencyKey" is not that of the header "Idempotency-Key"',
    {
      errors: [
        { field: 'idempotencyKey', message: 'must be that of the header', given: body.idempotencyKey },
      ],
    },
  )
}
