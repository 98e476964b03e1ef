/** `tierline move`, as a command, to every server that is there. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Queue, Worker } from 'bullmq'
import { describe, expect, onTestFinished } from 'vitest'
import { connectRedis, type RedisClient } from '../../src/redis/connect.ts'
import { freePort } from '../../src/services/free-port.ts'
import { startGuardian } from '../../src/services/guardian.ts'
import { findRedisServer, redisServer } from '../../src/services/redis-service.ts'
import { runCli } from '../cli/run-cli.ts'
import { createTestValkey } from '../redis/test-valkey.ts'
import { test as base } from '../redis/valkey-test.ts'
import { eventually } from '../setup/eventually.ts'
import { startRedisCluster } from '../setup/redis-cluster.ts'
import { noRedisServer } from '../setup/redis-node.ts'

interface Target {
  url: string
  client: RedisClient
}

/** An empty Redis that is not the run's: native where there is one, so that the versions differ. */
const test = base.extend<{ target: Target }>({
  target: async ({}, use) => {
    const command = await findRedisServer(process.env.PATH)
    const dataDir = mkdtempSync(join(tmpdir(), 'tierline-test-'))
    if (command === undefined) {
      const valkey = await createTestValkey(dataDir, 'no')
      await valkey.start()
      await use({ url: valkey.url, client: await valkey.connect() })
      await valkey.close()
    } else {
      mkdirSync(join(dataDir, 'redis'))
      const guardian = await startGuardian({ logFile: join(dataDir, 'guardian.log') })
      const env = { PATH: process.env.PATH ?? '' }
      const place = { dataDir, fsync: 'no', port: await freePort(), password: 'target', env } as const
      const { spec, url } = redisServer(command, place)
      await guardian.start(spec)
      const client = await connectRedis(url, { name: 'test', whenAway: 'wait' })
      await use({ url, client })
      client.disconnect()
      await guardian.stop()
    }
    rmSync(dataDir, { recursive: true })
  },
})

describe('tierline move', () => {
  test('carries every kind of key over, as it is', async ({ valkey, target }) => {
    await valkey.start()
    const redis = await valkey.connect()
    const root = '{tierline:a}'
    const binary = Buffer.from([0, 255, 13, 10])
    await redis.set(`${root}:text`, binary, 'EX', 1_000)
    await redis.hset(
      `${root}:hash`,
      Object.fromEntries(Array.from({ length: 2_500 }, (_, i) => [`f${i}`, i])),
    )
    await redis.rpush(`${root}:list`, ...Array.from({ length: 2_500 }, (_, i) => i))
    await redis.sadd(`${root}:set`, 'a', binary)
    await redis.zadd(`${root}:sorted`, '0.1', 'a', '-inf', 'b', '1.7976931348623157e308', 'c')
    for (let i = 1; i <= 1_200; i += 1) await redis.xadd(`${root}:stream`, `${i}-0`, 'i', i)
    await redis.xadd(`${root}:trimmed`, '7-0', 'a', 'b')
    await redis.xtrim(`${root}:trimmed`, 'MAXLEN', 0)
    await valkey.stop()

    const { code, stdout, stderr } = await move(valkey.directory, target.url)
    expect(code, stderr).toBe(0)
    expect(stdout).toBe('moved 7 keys\n')
    const { client } = target
    expect((await client.getBuffer(`${root}:text`))?.equals(binary)).toBe(true)
    expect(await client.ttl(`${root}:text`)).toBeGreaterThan(900)
    expect(await client.ttl(`${root}:hash`)).toBe(-1)
    expect(await client.hlen(`${root}:hash`)).toBe(2_500)
    expect(await client.hget(`${root}:hash`, 'f2499')).toBe('2499')
    expect(await client.lrange(`${root}:list`, 0, -1)).toEqual(
      Array.from({ length: 2_500 }, (_, i) => String(i)),
    )
    expect(await client.scard(`${root}:set`)).toBe(2)
    expect(await client.sismember(`${root}:set`, binary)).toBe(1)
    expect(await client.zrange(`${root}:sorted`, '0', '-1')).toEqual(['b', 'a', 'c'])
    expect(Number(await client.zscore(`${root}:sorted`, 'c'))).toBe(Number.MAX_VALUE)
    expect(await client.xlen(`${root}:stream`)).toBe(1_200)
    await expect(client.xadd(`${root}:trimmed`, '7-0', 'a', 'b')).rejects.toThrow('equal or smaller')
    expect(await client.dbsize()).toBe(7)
    // Another "up" begins empty, and nobody runs these tasks a second time.
    expect(existsSync(valkey.directory)).toBe(false)
    expect(readdirSync(dirname(valkey.directory)).some((name) => name.startsWith('valkey.moved-'))).toBe(true)
  })

  test('loses no job and runs none twice', async ({ valkey, target }) => {
    await valkey.start()
    const options = { connection: await valkey.connect(), prefix: '{tierline}:queue' }
    const queue = new Queue('fast', options)
    const runs: string[] = []
    const run = async ({ id }: { id?: string | undefined }) => void runs.push(id!)
    await queue.addBulk(
      Array.from({ length: 50 }, (_, i) => ({ name: 'job', data: {}, opts: { jobId: `a${i}` } })),
    )
    const worker = new Worker('fast', run, options)
    await eventually(async () => expect(await queue.getCompletedCount()).toBe(50))
    await worker.close()
    await queue.addBulk(
      Array.from({ length: 50 }, (_, i) => ({
        name: 'job',
        data: {},
        opts: { jobId: `b${i}`, priority: i },
      })),
    )
    await queue.add('job', {}, { jobId: 'later', delay: 3_600_000 })
    await queue.close()
    await valkey.kill()

    expect(await move(valkey.directory, target.url)).toMatchObject({ code: 0 })
    const moved = { connection: target.client, prefix: options.prefix }
    const there = new Queue('fast', moved)
    expect(await there.getJobCounts('completed', 'delayed')).toEqual({ completed: 50, delayed: 1 })
    const second = new Worker('fast', run, { ...moved, connection: target.client })
    await eventually(async () => expect(await there.getCompletedCount()).toBe(100))
    await second.close()
    await there.close()
    expect(runs.toSorted()).toEqual([...new Set(runs)].toSorted())
    expect(runs).toHaveLength(100)
  })

  test('refuses a target with tasks of its own, a running tierline, and a directory without data', async ({
    valkey,
    target,
  }) => {
    await valkey.start()
    const redis = await valkey.connect()
    await redis.set('{tierline}:a', 1)
    const running = await move(valkey.directory, target.url)
    expect(running.code).toBe(2)
    expect(running.stderr).toContain('service')
    await valkey.stop()

    await target.client.set('{tierline}:mine', 1)
    const occupied = await move(valkey.directory, target.url)
    expect(occupied.code).toBe(2)
    expect(occupied.stderr).toContain('it has keys of "{tierline}" already')
    expect(occupied.stderr).not.toContain(new URL(target.url).password)
    expect(await target.client.keys('*')).toEqual(['{tierline}:mine'])

    await target.client.del('{tierline}:mine')
    expect(await move(valkey.directory, target.url)).toMatchObject({ code: 0 })
    const again = await move(valkey.directory, target.url)
    expect(again.code).toBe(2)
    expect(again.stderr).toContain('in which a "tierline up" without REDIS_URL has kept something')
  })

  test('takes each namespace to its own node of a cluster', async ({ valkey, skip }) => {
    const reason = noRedisServer()
    if (reason !== undefined) return skip(reason)
    const cluster = await startRedisCluster()
    onTestFinished(cluster.stop)
    await valkey.start()
    const redis = await valkey.connect()
    // These three have their slots on three nodes.
    const roots = ['{tierline}', '{tierline:a}', '{tierline:c}']
    for (const root of roots) await redis.rpush(`${root}:list`, root, 'b')
    await valkey.stop()

    expect(await move(valkey.directory, cluster.url)).toMatchObject({ code: 0, stdout: 'moved 3 keys\n' })
    const owners = await Promise.all(roots.map((root) => cluster.ownerOf(root)))
    expect(new Set(owners).size).toBe(3)
    for (const [index, root] of roots.entries())
      expect(await owners[index]!.client.lrange(`${root}:list`, 0, -1)).toEqual([root, 'b'])
  })

  test('goes on with a move that was broken off', async ({ valkey, target }) => {
    await valkey.start()
    const redis = await valkey.connect()
    await redis.rpush('{tierline}:list', 'a', 'b')
    await redis.xadd('{tierline}:group', '*', 'a', 'b')
    await redis.xgroup('CREATE', '{tierline}:group', 'group', '0')
    await valkey.stop()
    const broken = await move(valkey.directory, target.url)
    expect(broken.stderr).toContain('it is a stream with consumer groups')
    expect(await target.client.exists('{tierline}:moving')).toBe(1)

    await valkey.start()
    await redis.xgroup('DESTROY', '{tierline}:group', 'group')
    await valkey.stop()
    expect(await move(valkey.directory, target.url)).toMatchObject({ code: 0 })
    expect(await target.client.lrange('{tierline}:list', 0, -1)).toEqual(['a', 'b'])
    expect(await target.client.exists('{tierline}:moving')).toBe(0)
  })
})

function move(directory: string, to: string) {
  return runCli(['move', '--data-dir', dirname(directory)], { env: { REDIS_URL: to, PATH: '' } })
}
