import type { RedisClient } from '../../src/redis/connect.ts'

/** Of the hash of all budgets. */
const TURN = `
  local window, spent, held, hasLine = cmsgpack.unpack(redis.call('HGET', KEYS[1], ARGV[1]))
  redis.call('HSET', KEYS[1], ARGV[1], cmsgpack.pack(window + ARGV[2], spent, held, hasLine))
`

/** As if the window of a budget had begun so much later, or earlier. */
export async function turnWindow(redis: RedisClient, budgets: string, name: string, byMs: number) {
  await redis.eval(TURN, 1, budgets, name, byMs)
}
