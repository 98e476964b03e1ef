import type { RedisClient } from './connect.ts'

/**
 * Closes a connection for good, and fails what waits for its replies.
 *
 * ioredis does so by itself but for one that waits for its next try: `disconnect` stops the try, and what waits would
 * wait for ever (redis/ioredis#2169). So that one begins its try first, which the same `disconnect` ends before
 * anything was sent.
 */
export function closeConnection(redis: RedisClient): void {
  redis.options.retryStrategy = () => null
  redis.options.sentinelRetryStrategy = () => null
  if (redis.status === 'reconnecting') redis.connect().catch(() => {})
  redis.disconnect()
}
