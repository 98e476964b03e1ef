import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { translateRedisError } from '../redis/redis-unavailable.ts'
import type { SessionBackend } from '../sessions/backend.ts'
import type { Readiness } from '../tasks/views.ts'

/** A worker process gives a sign of life every 5 s. */
const ALIVE_MS = 15_000
const PATIENCE_MS = 3_000

interface HealthDeps {
  redis: RedisClient
  keys: Keys
  backends: readonly SessionBackend[]
  config: { status(): { generation: number; error: string | null } }
}

/** Whether tasks would be accepted and run now. Never throws. */
export function createHealth({ redis, keys, backends, config }: HealthDeps) {
  async function readiness(): Promise<Readiness> {
    const [redisCheck, workers, opencode] = await Promise.all([
      check(async () => {
        await redis.ping()
        return 'answers'
      }),
      check(async () => {
        const alive = await redis.zcount(keys.workers, Date.now() - ALIVE_MS, '+inf')
        if (alive === 0)
          throw new Error('no worker gave a sign of life in the last 15 s; start one with "tierline worker"')
        return alive === 1 ? '1 worker' : `${alive} workers`
      }),
      check(async () => {
        const answers = await Promise.allSettled(
          backends.map((backend) => backend.check(AbortSignal.timeout(PATIENCE_MS))),
        )
        const away = backends
          .filter((_, index) => answers[index]!.status === 'rejected')
          .map(({ server }) => server)
        if (away.length > 0) throw new Error(`no answer from ${away.join(', ')}`)
        return `${backends.map(({ server }) => server).join(', ')} answers`
      }),
    ])
    const { generation, error } = config.status()
    return {
      checks: { redis: redisCheck, workers, opencode, config: { ok: error === null, generation, error } },
    }
  }

  return { readiness }
}

async function check(ask: () => Promise<string>): Promise<{ ok: boolean; detail: string }> {
  try {
    return { ok: true, detail: await ask() }
  } catch (error) {
    return { ok: false, detail: (translateRedisError(error) as Error).message }
  }
}
