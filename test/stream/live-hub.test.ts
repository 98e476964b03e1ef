import { describe, expect, onTestFinished, vi } from 'vitest'
import { connectRedis } from '../../src/redis/connect.ts'
import { createLiveHub } from '../../src/stream/live-hub.ts'
import { startRedisProxy } from '../redis/redis-proxy.ts'
import { eventually } from '../setup/eventually.ts'
import { test } from './stream-test.ts'

describe('listen()', () => {
  test('gives the events of a message with their numbers', async ({
    stream: { hub },
    records,
    redis: { namespace },
  }) => {
    const seen: unknown[] = []
    await hub.listen(namespace, (events) => seen.push(events))

    await records.redis.publish(namespace, '7 [{"type":"task-resumed"},{"type":"task-retried"}]')

    await eventually(() =>
      expect(seen).toEqual([
        [
          { seq: 7, type: 'task-resumed' },
          { seq: 8, type: 'task-retried' },
        ],
      ]),
    )
  })

  test('listens again after the last listener has gone', async ({
    stream: { hub },
    records,
    redis: { namespace },
  }) => {
    const first: unknown[] = []
    const second: unknown[] = []
    const stop = await hub.listenPlain(namespace, (message) => first.push(message))
    stop()
    stop()
    await hub.listenPlain(namespace, (message) => second.push(message))

    await records.redis.publish(namespace, 'hello')

    await eventually(() => expect(second).toEqual(['hello']))
    expect(first).toEqual([])
  })

  test('says redis_unavailable when Redis is away, and when it stays silent', async ({ redis }) => {
    const proxy = await startRedisProxy(redis.url)
    onTestFinished(proxy.stop)
    const hub = createLiveHub(await connectRedis(proxy.url, { name: 'hub', whenAway: 'wait' }), 10_000)
    onTestFinished(hub.close)

    proxy.fallSilent()
    await expect(hub.listen(redis.namespace, vi.fn())).rejects.toMatchObject({ code: 'redis_unavailable' })
    await proxy.goAway()
    await expect(hub.listen(redis.namespace, vi.fn())).rejects.toMatchObject({ code: 'redis_unavailable' })
    await proxy.comeBack()
    const stop = await eventually(() => hub.listen(redis.namespace, vi.fn()))
    stop()
  })
})

describe('now and then', () => {
  test.override({ lookAgainMs: 5 })

  test('tells everybody to look again', async ({ stream: { hub }, redis: { namespace } }) => {
    const listener = vi.fn()
    const stop = await hub.listen(namespace, listener)
    await eventually(() => expect(listener.mock.calls).toContainEqual([undefined]))
    stop()
  })
})
