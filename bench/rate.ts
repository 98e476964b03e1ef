/** How fast something goes and what it costs, for work that is done many times. */
import type { RedisClient } from '../src/redis/connect.ts'
import { ownCpuMicros, redisCpuMicros } from './cpu-time.ts'
import { median, ofRounds } from './statistics.ts'

export interface Rate {
  perSecond: number
  /** CPU time of the process that does the work, for each time. */
  nodeMicros: number
  redisMicros: number
}

/** `work` resolves when all of it is done. `cpuMicros`: of the process that does it; default: this one. */
export async function measureRate(
  redis: RedisClient,
  count: number,
  work: () => Promise<unknown>,
  cpuMicros: () => Promise<number> | number = ownCpuMicros,
): Promise<Rate> {
  const before = { node: await cpuMicros(), redis: await redisCpuMicros(redis) }
  const startedAt = performance.now()
  await work()
  const seconds = (performance.now() - startedAt) / 1000
  return {
    perSecond: count / seconds,
    nodeMicros: ((await cpuMicros()) - before.node) / count,
    redisMicros: ((await redisCpuMicros(redis)) - before.redis) / count,
  }
}

/** Calls `once` until it was called `count` times, at any time `width` of them under way. */
export async function inFlight(width: number, count: number, once: () => Promise<unknown>): Promise<void> {
  let left = count
  const lane = async () => {
    while (left > 0) {
      left -= 1
      await once()
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
}

/** Round by round, since both sides of a round met the same machine. */
export function ratioOf(ours: readonly Rate[], baseline: readonly Rate[]) {
  return ofRounds(ours.map((rate, round) => rate.perSecond / baseline[round]!.perSecond))
}

/** `12,345/s, CPU 61 µs in node and 66 µs in redis` */
export function describeRate(rates: readonly Rate[]): string {
  const middle = (pick: (rate: Rate) => number) => Math.round(median(rates.map(pick))).toLocaleString('en')
  const cpu = `${middle((rate) => rate.nodeMicros)} µs in node, ${middle((rate) => rate.redisMicros)} µs in redis`
  return `${middle((rate) => rate.perSecond)}/s (CPU ${cpu})`
}
