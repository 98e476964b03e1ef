/**
 * Turns between API keys in a queue, so that ten thousand tasks of one do not keep ten of another waiting.
 *
 * Start-time fair queueing: a task's turn is one after the last of its key, or after the one served last if that is
 * later. BullMQ sorts by it as `priority`, above which the task's own urgency counts (docs/limits.md "Fair turns").
 */
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { scriptsOn } from '../redis/scripts.ts'

/** What a job carries of its turn. */
export interface Turn {
  /** The urgency of the task: 0 first, 9 last. */
  readonly level: number
  /** Only grows. */
  readonly number: number
}

/** A turn, and the place in BullMQ's order that it has now. */
export interface TakenTurn extends Turn {
  readonly priority: number
}

/** BullMQ's priorities, shared out among ten levels. */
const LEVELS = 10
const LEVEL = Math.floor(2 ** 21 / LEVELS)
/** Numbers of a level that are served before the others are counted anew. */
const REBASE_AFTER = LEVEL / 2

/** BullMQ's priority of a task without a turn: before all others of its level. */
export function priorityOf(level: number, inLevel = 0): number {
  return level * LEVEL + inLevel
}

export type FairTurns = ReturnType<typeof createFairTurns>

export function createFairTurns({ redis, keys }: { redis: RedisClient; keys: Keys }) {
  const scripts = scriptsOn(redis)

  return {
    /** One round trip. `key`: `null` is one more among the keys. */
    async take(queue: string, level: number, key: string | null): Promise<TakenTurn> {
      const args = [keys.turns(queue), level, key ?? '', LEVEL - 1]
      const [number, inLevel] = (await scripts('take-turn', args)) as [number, number]
      return { level, number, priority: priorityOf(level, inLevel) }
    },

    /** A task with this turn was taken from the queue. One round trip. */
    async served(queue: string, { level, number }: Turn): Promise<void> {
      await scripts('serve-turn', [keys.turns(queue), level, number])
    },

    /**
     * Numbers in BullMQ end somewhere: from time to time they are counted from the one served last. Gives what each
     * waiting job of such a level must have from now on; none where nothing is to be done. One round trip, or two.
     */
    async rebase(queue: string): Promise<((turn: Turn) => number | undefined) | undefined> {
      const fields = await redis.hgetall(keys.turns(queue))
      const moved = new Map<number, number>()
      for (let level = 0; level < LEVELS; level += 1) {
        const served = Number(fields[`served:${level}`] ?? 0)
        if (served - Number(fields[`base:${level}`] ?? 0) > REBASE_AFTER) moved.set(level, served)
      }
      if (moved.size === 0) return undefined
      await redis.hset(
        keys.turns(queue),
        Object.fromEntries([...moved].map(([level, base]) => [`base:${level}`, base])),
      )
      return ({ level, number }) => {
        const base = moved.get(level)
        if (base === undefined) return undefined
        return priorityOf(level, Math.min(Math.max(1, number - base), LEVEL - 1))
      }
    },
  }
}
