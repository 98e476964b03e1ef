/** What API processes hear of messages that OpenCode does not know yet: that they are in line, or will never be sent. */
import type { TaskRecord } from '../../records/task-record.ts'
import type { RedisClient } from '../../redis/connect.ts'
import type { Keys } from '../../redis/keys.ts'
import type { LiveHub } from '../../stream/live-hub.ts'

export interface SessionNotice {
  /** `withdrawn`: it was cancelled while it waited. */
  type: 'accepted' | 'withdrawn'
  /** Of its task, as it was a moment later. */
  record: TaskRecord
}

export interface SessionNoticesDeps {
  redis: RedisClient
  keys: Keys
  hub: LiveHub
  read(id: string): Promise<TaskRecord | undefined>
}

export type SessionNotices = ReturnType<typeof createSessionNotices>

/**
 * Over pub/sub, as `accepted tsk_…`: OpenCode replays no events either, and whoever missed some reads the messages
 * again. The script that takes a task in tells of the accepted ones.
 */
export function createSessionNotices({ redis, keys, hub, read }: SessionNoticesDeps) {
  let last: { message: string; record: Promise<TaskRecord | undefined> } | undefined

  /** Once for all who listen, who are told of it one after the other. */
  function recordOf(message: string, id: string): Promise<TaskRecord | undefined> {
    if (last?.message !== message) last = { message, record: read(id).catch(() => undefined) }
    return last.record
  }

  return {
    /** One round trip, which nobody waits for: the record says it too. */
    withdraw(id: string): void {
      redis.publish(keys.sessionNotices, `withdrawn ${id}`).catch(() => {})
    },
    /** Each notice costs one round trip, however many listen here. */
    listen(listener: (notice: SessionNotice) => void): Promise<() => void> {
      return hub.listenPlain(keys.sessionNotices, async (message) => {
        if (message === undefined) return
        const [type, id] = message.split(' ') as [SessionNotice['type'], string]
        const record = await recordOf(message, id)
        if (record !== undefined) listener({ type, record })
      })
    },
  }
}
