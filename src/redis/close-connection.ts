import type { RedisClient } from './connect.ts'

/**
 * Closes a connection for good, and fails what waits for its replies.
 *
 * ioredis does so by itself but for one that it is about to try again: `disconnect` stops the try, and what waits
 * would wait for ever. So that one is let try once more.
 */
export function closeConnection(redis: RedisClient): void {
  redis.options.retryStrategy = () => null
  redis.options.sentinelRetryStrategy = () => null
  if (redis.status === 'reconnecting') redis.once('connect', () => redis.disconnect())
  else redis.disconnect()
}
