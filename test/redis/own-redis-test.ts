/** `test` with an embedded Redis of its own, for what would disturb others. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base } from 'vitest'
import { connectRedis, type RedisClient } from '../../src/redis/connect.ts'
import { startGuardian } from '../../src/services/guardian.ts'
import { redisService } from '../../src/services/redis-service.ts'

export interface OwnRedis {
  url: string
  pid: number
  client: RedisClient
}

export const test = base.extend<{ own: OwnRedis }>({
  own: async ({}, use) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'tierline-test-'))
    const guardian = await startGuardian({ logFile: join(dataDir, 'guardian.log') })
    const { spec, url } = await redisService({ dataDir, environment: process.env, engine: 'embedded' })
    const { pid } = await guardian.start(spec)
    const client = await connectRedis(url, { name: 'test', whenAway: 'wait' })

    await use({ url, pid, client })

    client.disconnect()
    await guardian.stop()
    rmSync(dataDir, { recursive: true, force: true })
  },
})
