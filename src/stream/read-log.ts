import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import type { TaskEvent } from '../tasks/event.ts'
import { parseEntry } from './event-reader.ts'

const PAGE = 1_000

/** All that the log of a task still holds. One round trip per 1,000 entries. */
export async function readLog(redis: RedisClient, keys: Keys, id: string): Promise<TaskEvent[]> {
  const events: TaskEvent[] = []
  for (;;) {
    const from = `${(events.at(-1)?.seq ?? 0) + 1}-0`
    const entries = await redis.xrange(keys.log(id), from, '+', 'COUNT', PAGE)
    for (const [entryID, fields] of entries) events.push(...parseEntry(entryID, fields))
    if (entries.length < PAGE) return events
  }
}
