import type { RedisClient } from '../src/redis/connect.ts'

/** Of this process since it started, in microseconds. */
export function ownCpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Of the Redis server since it started, in microseconds. */
export async function redisCpuMicros(redis: RedisClient): Promise<number> {
  const info = await redis.info('cpu')
  const seconds = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)![1])
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6
}
