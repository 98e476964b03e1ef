/** `test` with a limiter, and who is let through by what it is told. */
import { createLimiter, type Limiter, type LimitRequest, type TurnCost } from '../../src/limits/limiter.ts'
import type { RedisClient } from '../../src/redis/connect.ts'
import { createQuotas } from '../../src/redis/quotas.ts'
import { scriptsOn } from '../../src/redis/scripts.ts'
import type { Caps } from '../../src/routing/table.ts'
import { test as base } from '../setup/redis-test.ts'

export interface LimiterFixture {
  limiter: Limiter
  redis: RedisClient
  /** The tasks that are let through by it. */
  limit(caps: Record<string, Partial<Caps>>): Promise<string[]>
  /** The tasks that are let through by it. */
  leave(id: string, turn?: TurnCost): Promise<string[]>
  /** The tasks that were let through since it was last asked. */
  woken(): string[]
  /** `open`, or what it is told: `model:acme/big 2/2 concurrency #1`. */
  enter(id: string, limits: readonly string[], more?: Partial<LimitRequest>): Promise<string>
  keysLeft(): Promise<string[]>
  /** Everything in the minutes grows older by so much. */
  age(ms: number): Promise<void>
}

export const BIG = 'model:acme/big'
export const ACME = 'provider:acme'

export const test = base.extend<{ fixture: LimiterFixture }>({
  fixture: async ({ redis: { keys, connect } }, use) => {
    const redis = await connect('fail')
    const granted: string[] = []
    const woken = () => granted.splice(0)
    const scripts = scriptsOn(redis)
    const quotas = createQuotas({ scripts, keys, wake: async (ids) => void granted.push(...ids) })
    const limiter = createLimiter({ redis, scripts, keys, quotas })
    await use({
      limiter,
      redis,
      woken,
      async limit(caps) {
        woken()
        await limiter.change(
          new Map(
            Object.entries(caps).map(([limit, some]) => [
              limit,
              { concurrency: null, requestsPerMinute: null, tokensPerMinute: null, ...some },
            ]),
          ),
        )
        return woken()
      },
      async leave(id, turn) {
        woken()
        await limiter.leave(id, turn)
        return woken()
      },
      async enter(id, limits, more) {
        const answer = await limiter.enter({
          ...{ taskID: id, key: null, depth: 1, limits, cost: { requests: 1, tokens: 0 }, how: 'start' },
          ...more,
        })
        if (answer.status === 'open') return 'open'
        const { limit, used, of, what, place } = answer
        return `${limit} ${used}/${of} ${what} #${place}`
      },
      keysLeft: async () =>
        (await redis.keys(`${keys.limits}*`)).filter((key) => key !== `${keys.limits}caps`),
      async age(ms) {
        for (const key of await redis.keys(`${keys.limits}*:minute`)) {
          const slices = Object.entries(await redis.hgetall(key))
          await redis.del(key)
          for (const [slice, count] of slices.filter(([name]) => /\d/.test(name)))
            await redis.hset(key, `${slice[0]}${Number(slice.slice(1)) - ms / 1000}`, count)
        }
      },
    })
  },
})
