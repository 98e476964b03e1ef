import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { runPipeline } from '../redis/run-pipeline.ts'
import { type LedgerLine, readLedgerDay } from './ledger-entries.ts'

/** The ledger of each of these days, in their order; one round trip. A day without spending has no lines. */
export async function readLedger(
  redis: RedisClient,
  keys: Keys,
  days: readonly string[],
): Promise<{ day: string; lines: LedgerLine[] }[]> {
  if (days.length === 0) return []
  const pipeline = redis.pipeline()
  for (const day of days) pipeline.hgetall(keys.ledger(day))
  const hashes = (await runPipeline(pipeline)) as Record<string, string>[]
  return hashes.map((hash, index) => ({ day: days[index]!, lines: readLedgerDay(hash) }))
}
