/** The worktrees there are, or may be: written down before one is made, so that none is forgotten. */
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'

export interface KnownWorktree {
  taskID: string
  /** The task that must be over before it goes: the task itself, or its parent. */
  owner: string
  server: string
  /** The directory that was copied; `null`: the server's own. */
  source: string | null
  name: string
}

export type WorktreeStore = ReturnType<typeof createWorktreeStore>

/** Each method is one round trip. */
export function createWorktreeStore({ redis, keys }: { redis: RedisClient; keys: Keys }) {
  return {
    async note({ taskID, ...rest }: KnownWorktree): Promise<void> {
      await redis.hset(keys.worktrees, taskID, JSON.stringify(rest))
    },

    async forget(taskID: string): Promise<void> {
      await redis.hdel(keys.worktrees, taskID)
    },

    async all(): Promise<KnownWorktree[]> {
      const found = await redis.hgetall(keys.worktrees)
      return Object.entries(found).map(([taskID, rest]) => ({ taskID, ...JSON.parse(rest) }) as KnownWorktree)
    },

    async of(taskID: string): Promise<KnownWorktree | undefined> {
      const rest = await redis.hget(keys.worktrees, taskID)
      return rest === null ? undefined : ({ taskID, ...JSON.parse(rest) } as KnownWorktree)
    },
  }
}
