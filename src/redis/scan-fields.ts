import type { RedisClient } from './connect.ts'

const PIECE = 500

/**
 * The names of the fields of a hash, some at a time, one round trip for each piece. Those that are there all along come
 * at least once.
 */
export async function* scanFields(redis: RedisClient, key: string): AsyncGenerator<string[]> {
  let cursor = '0'
  do {
    const [next, found] = await redis.hscan(key, cursor, 'COUNT', PIECE)
    cursor = next
    const fields = found.filter((_, index) => index % 2 === 0)
    if (fields.length > 0) yield fields
  } while (cursor !== '0')
}
