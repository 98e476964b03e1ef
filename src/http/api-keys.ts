import { createHash, timingSafeEqual } from 'node:crypto'
import { TierlineError } from '../errors.ts'

export interface ApiKey {
  /** What budgets and logs call the caller. */
  name: string
  secret: string
}

/**
 * Gives a function from an `Authorization` header to the name of its key; `null` when there are no keys.
 *
 * Takes `Bearer SECRET`, and `Basic` with any user and the secret as password: browsers know only that one.
 * @throws {TierlineError} `unauthorized`.
 */
export function createKeyRing(keys: readonly ApiKey[]): (authorization: string | undefined) => string | null {
  // Digests have one length, so the comparison tells nothing of the secret's.
  const ring = keys.map(({ name, secret }) => ({ name, digest: digestOf(secret) }))

  return (authorization) => {
    if (ring.length === 0) return null
    const secret = secretOf(authorization)
    if (secret === undefined)
      throw new TierlineError(
        'unauthorized',
        'Cannot answer without an API key: send "Authorization: Bearer SECRET", or Basic with the secret as password',
      )
    const digest = digestOf(secret)
    let caller: string | null = null
    // No early exit: every key is compared.
    for (const key of ring) if (timingSafeEqual(key.digest, digest)) caller = key.name
    if (caller === null)
      throw new TierlineError('unauthorized', 'Cannot answer: the API key is none of those configured')
    return caller
  }
}

function secretOf(authorization: string | undefined): string | undefined {
  const [, scheme, value] = /^(bearer|basic) +(\S+) *$/i.exec(authorization ?? '') ?? []
  if (value === undefined) return undefined
  if (scheme!.toLowerCase() === 'bearer') return value
  const decoded = Buffer.from(value, 'base64').toString()
  const colon = decoded.indexOf(':')
  return colon === -1 ? undefined : decoded.slice(colon + 1)
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
