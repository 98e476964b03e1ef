/**
 * Every queue that may hold tasks: those of the table, and those of tiers it no longer has.
 *
 * A tier that is removed or renamed leaves its tasks where they are; workers serve its queue until it is
 * empty, whichever of them were started before or after.
 */
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { EXTRA_QUEUES, type TaskQueues } from './task-queues.ts'

const ANNOUNCED = 'queue '

export interface KnownQueuesDeps {
  redis: RedisClient
  keys: Keys
  queues: TaskQueues
}

/** Remembers the names of these tiers, and gives all that are remembered and not yet empty. */
export async function rememberQueues(
  { redis, keys, queues }: KnownQueuesDeps,
  tiers: readonly string[],
): Promise<string[]> {
  const current = [...tiers, ...EXTRA_QUEUES]
  await redis.sadd(keys.queues, ...current)
  const former = (await redis.smembers(keys.queues)).filter((name) => !current.includes(name))
  const left = await Promise.all(former.map((name) => queues.unfinished(name)))
  const empty = former.filter((_, index) => left[index] === 0)
  if (empty.length > 0) await redis.srem(keys.queues, ...empty)
  return [...current, ...former.filter((name) => !empty.includes(name))]
}

/**
 * Tells the workers of queues of removed tiers that hold tasks: one that does not serve them begins to. A process with an
 * older table may have named them after all others had found them empty.
 */
export async function announceQueues(
  { redis, keys }: Pick<KnownQueuesDeps, 'redis' | 'keys'>,
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return
  await redis.sadd(keys.queues, ...names)
  for (const name of names) await redis.publish(keys.control, `${ANNOUNCED}${name}`)
}

/** The queue that a message of the control channel announces; `undefined`: none. */
export function announcedQueue(message: string | undefined): string | undefined {
  return message?.startsWith(ANNOUNCED) ? message.slice(ANNOUNCED.length) : undefined
}

/** The queues of removed tiers, with the tasks each still has. */
export async function formerQueues(
  { redis, keys, queues }: KnownQueuesDeps,
  tiers: readonly string[],
): Promise<{ name: string; tasks: number }[]> {
  const current = [...tiers, ...EXTRA_QUEUES]
  const former = (await redis.smembers(keys.queues)).filter((name) => !current.includes(name))
  const counted = await Promise.all(
    former.map(async (name) => ({ name, tasks: await queues.unfinished(name) })),
  )
  return counted.filter(({ tasks }) => tasks > 0)
}
