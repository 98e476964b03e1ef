/** What API processes tell each other of messages that OpenCode does not know yet. */
import type { RedisClient } from '../../redis/connect.ts'
import type { Keys } from '../../redis/keys.ts'
import type { LiveHub } from '../../stream/live-hub.ts'
import type { UserMessage } from './waiting-messages.ts'

export type SessionNotice =
  | { type: 'accepted'; sessionID: string; directory: string | null; messages: UserMessage[] }
  /** A message will never be sent: it was cancelled while it waited. */
  | { type: 'withdrawn'; sessionID: string; directory: string | null }

export type SessionNotices = ReturnType<typeof createSessionNotices>

/** Over pub/sub: OpenCode replays no events either, and whoever missed some reads the messages again. */
export function createSessionNotices({ redis, keys, hub }: { redis: RedisClient; keys: Keys; hub: LiveHub }) {
  return {
    /** One round trip, which nobody waits for: what is told is in the records too. */
    tell(notice: SessionNotice): void {
      redis.publish(keys.sessionNotices, JSON.stringify(notice)).catch(() => {})
    },
    listen(listener: (notice: SessionNotice) => void): Promise<() => void> {
      return hub.listenPlain(keys.sessionNotices, (message) => {
        if (message !== undefined) listener(JSON.parse(message) as SessionNotice)
      })
    },
  }
}
