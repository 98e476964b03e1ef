/**
 * The turns that were aborted for good: what is found running of them was revived by a worker that was
 * suspended before it sent its request (docs/architecture.md "Cancel"). Every method is one round trip.
 */
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { runPipeline } from '../redis/run-pipeline.ts'
import type { Checkpoint, TaskRecord } from './task-record.ts'

export interface Tombstone {
  taskID: string
  server: string
  sessionID: string
  /** `undefined`: the server's own working directory. */
  directory: string | undefined
  checkpoint: Checkpoint
}

/** How long it is looked after. A worker that wakes later than that looks itself. */
export const TOMBSTONE_AGE_MS = 10 * 60_000
const MOST_KEPT = 5_000

/** As `scripts/end-waiting-task.lua` and `claim.lua` write it: id, server, session, directory, checkpoint as JSON. */
type Member = [string, string, string, string, string]

export type TombstoneStore = ReturnType<typeof createTombstoneStore>

export function createTombstoneStore({ redis, keys }: { redis: RedisClient; keys: Keys }) {
  return {
    /** Before the abort, so that one that was decided is done by somebody. */
    async bury({ id, server, sessionID, directory, checkpoint }: TaskRecord, now: number): Promise<void> {
      const member: Member = [id, server!, sessionID!, directory ?? '', JSON.stringify(checkpoint)]
      await redis.zadd(keys.tombstones, now, JSON.stringify(member))
    },

    /** Newest first; forgets those that are old or too many. */
    async recent(now: number): Promise<Tombstone[]> {
      const replies = await runPipeline(
        redis
          .pipeline()
          .zremrangebyscore(keys.tombstones, '-inf', now - TOMBSTONE_AGE_MS)
          .zremrangebyrank(keys.tombstones, 0, -MOST_KEPT - 1)
          .zrange(keys.tombstones, '0', '-1', 'REV'),
      )
      return (replies.at(-1) as string[]).map(parse)
    },
  }
}

function parse(text: string): Tombstone {
  const [taskID, server, sessionID, directory, checkpoint] = JSON.parse(text) as Member
  return {
    taskID,
    server,
    sessionID,
    directory: directory || undefined,
    checkpoint: JSON.parse(checkpoint) as Checkpoint,
  }
}
