import { describe, expect } from 'vitest'
import { checkRedis, readFacts } from '../../src/redis/check-redis.ts'
import { test as withRedis } from '../setup/redis-test.ts'
import { test } from './own-redis-test.ts'

describe('checkRedis()', () => {
  withRedis('accepts the Redis of this run', async ({ redis }) => {
    await expect(checkRedis(await redis.connect())).resolves.toMatchObject({ maxmemoryPolicy: 'noeviction' })
  })

  test('refuses a Redis that may throw tasks away, and says what to do', async ({ own }) => {
    await own.client.config('SET', 'maxmemory-policy', 'allkeys-lru')

    await expect(checkRedis(own.client)).rejects.toMatchObject({
      code: 'redis_unsuitable',
      message: expect.stringMatching(
        /"allkeys-lru".*must be "noeviction": run CONFIG SET maxmemory-policy noeviction/,
      ),
      errors: [{ field: 'REDIS_URL', given: 'allkeys-lru' }],
    })
  })

  test('needs no right to CONFIG', async ({ own }) => {
    await own.client.call('ACL', 'SETUSER', 'default', '-config')

    await expect(checkRedis(own.client)).resolves.toMatchObject({
      maxmemoryPolicy: 'noeviction',
      appendOnly: false,
    })
  })

  test('refuses a replica', async ({ own }) => {
    await own.client.replicaof('127.0.0.1', 1)

    await expect(checkRedis(own.client)).rejects.toThrow('it is a replica, must be the primary')
  })

  withRedis.for(['6.0.16', '5.0.14', '2.8.0'])('refuses version %s', async (version, { redis }) => {
    const info = await (await redis.connect()).info()
    const old = { info: async () => info.replace(/^redis_version:.*$/m, `redis_version:${version}\r`) }

    await expect(checkRedis(old as never)).rejects.toThrow(`it is version ${version}, must be at least 6.2`)
  })
})

describe('readFacts()', () => {
  withRedis('reads what a server does not say as unknown', () => {
    expect(readFacts('# Server\r\nredis_version:6.2.0\r\n')).toEqual({
      version: '6.2.0',
      maxmemoryPolicy: undefined,
      appendOnly: false,
      isReplica: false,
      isClustered: false,
    })
  })
})
