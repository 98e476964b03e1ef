/** A connection in a real cluster of three masters: it finds the node of its namespace, and goes with the slot. */
import { describe, expect, inject } from 'vitest'
import { checkRedis } from '../../src/redis/check-redis.ts'
import { closeConnection } from '../../src/redis/close-connection.ts'
import { connectRedis } from '../../src/redis/connect.ts'
import { createKeys } from '../../src/redis/keys.ts'
import { scriptsOn } from '../../src/redis/scripts.ts'
import { clusterTest } from '../setup/cluster-test.ts'
import { eventually } from '../setup/eventually.ts'

const test = clusterTest(0)
const { root } = createKeys(undefined)

describe('connectRedis()', () => {
  test('is with the node of its namespace, whichever nodes the URL names', async ({
    cluster,
    namespaceOn,
  }) => {
    const [first, second, third] = cluster.nodes
    for (const seed of [first!, third!]) {
      const { keys } = await namespaceOn(second!)
      const url = `redis+cluster://127.0.0.1:1,127.0.0.1:${seed.port}`
      const client = await connectRedis(url, { name: 'test', whenAway: 'wait', root: keys.root })
      await client.set(keys.tasks, '1')

      expect(await second!.client.get(keys.tasks)).toBe('1')
      client.disconnect()
    }
  })

  test('goes with its slot, and so does what it was asked meanwhile', async ({
    cluster,
    namespaceOn,
    connect,
  }) => {
    const [first, second] = cluster.nodes
    const { keys } = await namespaceOn(first!)
    const waiting = await connect(keys)
    const hasty = await connect(keys, 'fail')
    const blocked = await connect(keys)
    for (let i = 0; i < 100; i += 1) await waiting.sadd(keys.task(`${i}`), i)
    const scripts = scriptsOn(waiting)
    const popped = blocked.bzpopmin(keys.live, 0)

    // A key that is gone already is asked for while the others still go.
    let asked: Promise<unknown>[] = []
    let refused: unknown
    await cluster.moveSlot(keys.root, second!, async () => {
      if (asked.length === 0 && (await second!.client.dbsize()) > 50) {
        asked = [waiting.incr(keys.gateOrder), waiting.smembers(keys.task('1'))]
        refused = await hasty.get(keys.tasks).catch((error) => error)
      }
    })

    expect(refused).toMatchObject({ message: expect.stringMatching(/^(ASK|MOVED|Stream|Connection)/) })
    expect(await Promise.all(asked)).toEqual([1, ['1']])
    expect(await second!.client.get(keys.gateOrder)).toBe('1')
    await eventually(async () => expect(await hasty.get(keys.gateOrder)).toBe('1'))
    // A script the new node does not know.
    expect(await scripts('clear-model', [keys.cooling, keys.live, 'a/b', '0', keys.coolingChannel])).toEqual(
      [],
    )
    await waiting.zadd(keys.live, 1, 'a')
    expect(await popped).toEqual([keys.live, 'a', '1'])
  })

  test('hears what is published, at whichever node', async ({ cluster, namespaceOn, connect }) => {
    const [first, second] = cluster.nodes
    const { keys } = await namespaceOn(first!)
    const subscriber = await connect(keys)
    const heard: string[] = []
    subscriber.on('message', (_, message: string) => heard.push(message))
    await subscriber.subscribe(keys.control)

    await second!.client.publish(keys.control, 'hello')

    await eventually(() => expect(heard).toEqual(['hello']))
  })

  test('says why it cannot', async ({ cluster, namespaceOn }) => {
    const options = { name: 'test', whenAway: 'fail', root, patienceMs: 2_000 } as const
    const [first] = cluster.nodes
    await expect(connectRedis('redis+cluster://127.0.0.1:1', options)).rejects.toMatchObject({
      code: 'redis_unavailable',
      message: expect.stringContaining('ECONNREFUSED'),
    })
    await expect(connectRedis(`${cluster.url}`, { ...options, root: undefined as never })).rejects.toThrow(
      TypeError,
    )
    await first!.client.config('SET', 'requirepass', 'hush')
    const { keys } = await namespaceOn(first!)
    const url = `redis+cluster://:wrong@127.0.0.1:${first!.port}`
    await expect(connectRedis(url, { ...options, root: keys.root })).rejects.toMatchObject({
      code: 'redis_unsuitable',
      message: expect.stringMatching(/:\*\*\*@.*refuses the user or the password/),
    })
    await first!.client.config('SET', 'requirepass', '')
  })

  test('says that a Redis is no cluster', async ({ skip }) => {
    const run = inject('redisUrl')
    if (!run.startsWith('redis://')) return skip('the Redis of this run is a cluster')
    const url = run.replace('redis://', 'redis+cluster://').replace(/\/\d*$/, '')

    await expect(connectRedis(url, { name: 'test', whenAway: 'fail', root })).rejects.toMatchObject({
      code: 'redis_unsuitable',
      message: expect.stringContaining('is no node of a cluster; without "+cluster" it can be used'),
    })
  })
})

describe('closeConnection()', () => {
  test('ends what waits for a cluster that is gone', async ({ cluster, namespaceOn, connect }) => {
    const [first] = cluster.nodes
    const { keys } = await namespaceOn(first!)
    const client = await connect(keys)
    for (const node of cluster.nodes) await node.kill()
    await eventually(() => expect(client.status).toBe('connecting'))
    const waiting = client.get(keys.tasks).catch((error) => error)

    closeConnection(client)
    const told = await waiting
    for (const node of cluster.nodes) await node.start()

    expect(told).toMatchObject({ message: 'Connection is closed.' })
    await eventually(async () => expect(await connect(keys)).toBeDefined())
  })
})

describe('checkRedis()', () => {
  test('looks at the master that has the slot', async ({ cluster, namespaceOn, connect }) => {
    const [first, second] = cluster.nodes
    await second!.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    const [good, bad] = await Promise.all([namespaceOn(first!), namespaceOn(second!)])

    await expect(checkRedis(await connect(good.keys))).resolves.toMatchObject({ isClustered: true })
    await expect(checkRedis(await connect(bad.keys))).rejects.toThrow('must be "noeviction"')
    await second!.client.config('SET', 'maxmemory-policy', 'noeviction')
  })

  test('refuses one address of a cluster, and says what to write', async ({ cluster }) => {
    const [first] = cluster.nodes
    const client = await connectRedis(`redis://127.0.0.1:${first!.port}`, { name: 'test', whenAway: 'fail' })

    await expect(checkRedis(client)).rejects.toThrow('takes REDIS_URL with "redis+cluster://"')
    client.disconnect()
  })
})
