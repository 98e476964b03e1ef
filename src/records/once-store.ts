/** The first answers to idempotency keys. They are written in the step that takes the task in. */
import { createHash } from 'node:crypto'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import type { Route } from '../tasks/route.ts'

/** What a first answer is made of anew, together with the same input. */
export interface FirstAnswer {
  id: string
  /** Of the input: tells whether a repeat is one. */
  fingerprint: string
  createdAt: number
  route: Route
  queue: string
  directory: string | null
}

export type OnceStore = ReturnType<typeof createOnceStore>

/** `caller` is the name of the API key, `null` without: each has keys of its own. */
export interface OnceKey {
  caller: string | null
  idempotencyKey: string
}

export function createOnceStore({ redis, keys }: { redis: RedisClient; keys: Keys }) {
  const keyOf = (key: OnceKey) => keys.once(digestOf(key))
  return {
    /** Where the first answer is kept. */
    keyOf,

    /** `undefined`: the key was not used, or too long ago. One round trip. */
    async read(key: OnceKey): Promise<FirstAnswer | undefined> {
      const kept = await redis.get(keyOf(key))
      return kept === null ? undefined : (JSON.parse(kept) as FirstAnswer)
    },
  }
}

/** Of one length and without meaning, whatever a caller takes for a key. */
function digestOf({ caller, idempotencyKey }: OnceKey): string {
  return createHash('sha256')
    .update(JSON.stringify([caller, idempotencyKey]))
    .digest('base64url')
}
