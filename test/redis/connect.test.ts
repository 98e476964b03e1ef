import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { TierlineError } from '../../src/errors.ts'
import { closeConnection } from '../../src/redis/close-connection.ts'
import { connectRedis, type RedisClient } from '../../src/redis/connect.ts'
import { translateRedisError } from '../../src/redis/redis-unavailable.ts'
import { test as withRedis } from '../setup/redis-test.ts'
import { test as withOwnRedis } from './own-redis-test.ts'
import { type RedisProxy, startRedisProxy } from './redis-proxy.ts'

const POLL = { timeout: 30_000, interval: 20 }

const test = withRedis.extend<{ proxy: RedisProxy }>({
  proxy: async ({ redis }, use) => {
    const proxy = await startRedisProxy(redis.url)
    await use(proxy)
    await proxy.stop()
  },
})

describe('connectRedis()', () => {
  test('names its connection', async ({ redis }) => {
    const name = `name-${redis.namespace}`
    const client = await connectRedis(redis.url, { name, whenAway: 'fail', root: redis.keys.root })

    expect(await client.client('GETNAME')).toBe(name)
    client.disconnect()
  })

  test('goes through a Unix socket', async ({ redis }) => {
    const path = join(tmpdir(), `tierline-${randomUUID()}.sock`)
    const proxy = await startRedisProxy(redis.url, path)
    const client = await connectRedis(proxy.url, { name: 'test', whenAway: 'fail' })

    expect(await client.ping()).toBe('PONG')
    client.disconnect()
    await proxy.stop()
    rmSync(path, { force: true })
  })

  test('gives up when nobody is there, and says where without the password', async ({ proxy }) => {
    await proxy.goAway()
    const { port } = new URL(proxy.url)
    const url = `redis://:hunter2@127.0.0.1:${port}`

    await expect(
      connectRedis(url, { name: 'test', whenAway: 'fail', patienceMs: 200 }),
    ).rejects.toMatchObject({
      code: 'redis_unavailable',
      message: `Cannot reach Redis at "redis://:***@127.0.0.1:${port}": connect ECONNREFUSED 127.0.0.1:${port}`,
    })
  })

  test('waits a while for a Redis that comes late', async ({ proxy }) => {
    await proxy.goAway()
    const connecting = connectRedis(proxy.url, { name: 'test', whenAway: 'fail', patienceMs: 30_000 })
    await proxy.comeBack()
    const client = await connecting

    expect(await client.ping()).toBe('PONG')
    client.disconnect()
  })

  withOwnRedis('says so when the password is wrong or missing, at once', async ({ own }) => {
    const { host } = new URL(own.url)
    const options = { name: 'test', whenAway: 'wait', patienceMs: 600_000 } as const
    const failureOf = async (url: string): Promise<TierlineError> =>
      await connectRedis(url, options).then(
        () => expect.unreachable(),
        (error) => error,
      )
    const wrong = await failureOf(`redis://:hunter2@${host}`)
    const missing = await failureOf(`redis://${host}`)

    expect(wrong.code).toBe('redis_unsuitable')
    expect(wrong.message).toBe(
      `Cannot use Redis at "redis://:***@${host}": it refuses the user or the password (WRONGPASS)`,
    )
    expect(wrong.cause).toBeUndefined()
    expect(missing.message).toContain('it refuses the user or the password (NOAUTH)')
  })
})

describe('a connection that fails while Redis is away', () => {
  test('fails commands under way and new ones, comes back, and sends none of them later', async ({
    redis,
    proxy,
  }) => {
    const errors: TierlineError[] = []
    const client = await connectRedis(proxy.url, {
      name: 'test',
      whenAway: 'fail',
      onError: (error) => errors.push(error),
    })
    let closed = 0
    client.on('close', () => {
      closed += 1
    })
    const key = `${redis.keys.root}:list`
    proxy.fallSilent()
    const underWay = unavailable(client.rpush(key, 'under way'))
    await proxy.goAway()
    await underWay
    const closedBefore = closed
    await unavailable(client.rpush(key, 'while away'))
    // It did not even wait for one more try to connect.
    expect(closed).toBe(closedBefore)
    await unavailable(client.multi().rpush(key, 'while away, too').exec())
    await expect.poll(() => errors[0], POLL).toMatchObject({ code: 'redis_unavailable', retryAfterMs: 1_000 })
    await proxy.comeBack()

    await expect.poll(async () => await client.exists(key).catch(() => 'away'), POLL).toBe(0)
    client.disconnect()
  })

  test('does not wait for a Redis that says nothing', async ({ proxy }) => {
    const client = await connectRedis(proxy.url, { name: 'test', whenAway: 'fail' })
    proxy.fallSilent()

    await unavailable(client.ping())
    client.disconnect()
  })
})

describe('a connection that waits while Redis is away', () => {
  test('ends its commands when Redis is back', async ({ redis, proxy }) => {
    const client: RedisClient = await connectRedis(proxy.url, { name: 'test', whenAway: 'wait' })
    await proxy.goAway()
    const writing = client.set(`${redis.keys.root}:a`, 'b')
    await expect.poll(() => client.status, POLL).toBe('reconnecting')
    await proxy.comeBack()

    expect(await writing).toBe('OK')
    client.disconnect()
  })
})

describe('closeConnection()', () => {
  test('ends what waits for its reply, and what waits to be sent, before the next try', async ({ proxy }) => {
    const client: RedisClient = await connectRedis(proxy.url, { name: 'test', whenAway: 'wait' })
    const sent = client.blpop('nothing', 0).catch((error) => error)
    await proxy.goAway()
    await expect.poll(() => client.status, POLL).toBe('reconnecting')
    const unsent = client.ping().catch((error) => error)

    closeConnection(client)

    expect(await Promise.all([sent, unsent])).toMatchObject([
      { message: 'Connection is closed.' },
      { message: 'Connection is closed.' },
    ])
    expect(client.status).toBe('end')
  })
})

describe('translateRedisError()', () => {
  test('leaves errors of the command alone', async ({ redis }) => {
    const client = await redis.connect()
    const error = await client.call('NO-SUCH-COMMAND').catch((thrown: unknown) => thrown)

    expect(translateRedisError(error)).toBe(error)
  })
})

/** The command fails as every caller is told to translate it. */
async function unavailable(command: Promise<unknown>): Promise<void> {
  const error = await command.then(
    () => new Error('Expected a rejection: the command succeeded'),
    (thrown: unknown) => translateRedisError(thrown),
  )
  expect(error).toBeInstanceOf(TierlineError)
  expect(error).toMatchObject({ code: 'redis_unavailable', retryable: true })
}
