/** The first answers to idempotency keys. Each method is one round trip, and atomic. */
import { createHash } from 'node:crypto'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import type { RunScript } from '../redis/scripts.ts'
import type { Route } from '../tasks/route.ts'
import { createChild, type ParentRefusal } from './create-child.ts'
import { flat, type RecordFields } from './record-fields.ts'

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

export interface OnceStoreOptions {
  redis: RedisClient
  scripts: RunScript
  keys: Keys
  maxWaitingTasks: number
}

export type OnceStore = ReturnType<typeof createOnceStore>

/** `caller` is the name of the API key, `null` without: each has keys of its own. */
export interface OnceKey {
  caller: string | null
  idempotencyKey: string
}

export function createOnceStore({ redis, scripts, keys, maxWaitingTasks }: OnceStoreOptions) {
  return {
    /**
     * Writes a new record unless the key was used in the last `ageMs`. Gives the first answer, which is
     * `answer` itself when the record was written (again, after a lost reply); `full` as in `RecordStore.create`,
     * and with a parent the reason why that takes no child.
     */
    async create(
      key: OnceKey,
      ageMs: number,
      answer: FirstAnswer,
      state: 'waiting' | 'delayed',
      fields: RecordFields,
      parentTaskID?: string,
    ): Promise<FirstAnswer | 'full' | ParentRefusal> {
      const { id } = answer
      if (parentTaskID !== undefined) {
        const once = { key: keys.once(digestOf(key)), answer: JSON.stringify(answer), ageMs }
        const created = await createChild(
          { scripts, keys, maxWaitingTasks },
          { id, parentTaskID, state, fields, once },
        )
        if (created.status === 'repeated') return JSON.parse(created.answer) as FirstAnswer
        return created.status === 'created' || created.status === 'exists' ? answer : created.status
      }
      const reply = await scripts('create-task-once', [
        keys.task(id),
        keys.tasks,
        keys.live,
        keys.once(digestOf(key)),
        id,
        maxWaitingTasks,
        JSON.stringify(answer),
        ageMs,
        'state',
        state,
        ...flat(fields),
      ])
      return reply === -2 ? 'full' : (JSON.parse(reply as string) as FirstAnswer)
    },

    /** `undefined`: the key was not used, or too long ago. */
    async read(key: OnceKey): Promise<FirstAnswer | undefined> {
      const kept = await redis.get(keys.once(digestOf(key)))
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
