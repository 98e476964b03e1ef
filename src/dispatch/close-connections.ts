import { closeConnection } from '../redis/close-connection.ts'
import type { RedisClient } from '../redis/connect.ts'
import { withinMs } from '../runner/within-ms.ts'

/** A run that is being aborted takes ten seconds at most. */
const PATIENCE_MS = 12_000
/** Nothing can be handed over while Redis is away: locks run out by themselves, and others take over. */
const AWAY_MS = 2_000
const LOOK_MS = 100

/**
 * Waits for `closing`, then closes the connections it works on. Commands of theirs would wait for Redis for
 * ever, so after a while they are closed in any case, which ends what still waits.
 */
export async function closeConnections(
  closing: Promise<void>,
  connections: readonly RedisClient[],
  graceMs = 0,
): Promise<void> {
  const { promise: tooLong, resolve: giveUp } = Promise.withResolvers<void>()
  const startedAt = Date.now()
  let thereAt = startedAt
  const timer = setInterval(() => {
    const now = Date.now()
    if (connections.every(({ status }) => status === 'ready')) thereAt = now
    if (now - thereAt > AWAY_MS || now - startedAt > graceMs + PATIENCE_MS) giveUp()
  }, LOOK_MS)
  await Promise.race([closing, tooLong]).finally(() => clearInterval(timer))
  connections.forEach(closeConnection)
  await withinMs(closing, AWAY_MS)
}
