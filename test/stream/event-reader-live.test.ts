import { describe, expect, onTestFinished, vi } from 'vitest'
import { connectRedis } from '../../src/redis/connect.ts'
import { createEventReader } from '../../src/stream/event-reader.ts'
import { createLiveHub } from '../../src/stream/live-hub.ts'
import { finished, started, textDelta } from '../records/records-test.ts'
import { startRedisProxy } from '../redis/redis-proxy.ts'
import { eventually } from '../setup/eventually.ts'
import { OPENING, reading, readingStarted, shortly, test } from './stream-test.ts'

describe('live', () => {
  test('gives what is written while it reads', async ({ stream: { claim, read } }) => {
    const { id, write } = await claim()
    await write([...OPENING, started])
    const reader = reading(read, id, 2)
    await eventually(() => expect(reader.items).toHaveLength(1))

    for (let count = 0; count < 50; count += 1) await write([textDelta('a', count), textDelta('b', count)])
    await write([finished], 'succeeded')
    await reader.done

    expect(reader.items.map((item) => ('seq' in item ? item.seq : item.type))).toEqual([
      ...Array.from({ length: 102 }, (_, index) => index + 3),
      'end',
    ])
  })

  test('asks Redis nothing while nothing is missing', async ({ stream: { claim, hub }, records, redis }) => {
    const { id, write } = await claim()
    await write([...OPENING, started])
    const client = await redis.connect('fail')
    const asked: string[] = []
    const read = createEventReader({
      redis: new Proxy(client, {
        get(target, name: 'xrange') {
          if (name === 'xrange') asked.push(name)
          return Reflect.get(target, name, target)
        },
      }),
      keys: redis.keys,
      hub,
    })
    const reader = reading(read, id)
    await eventually(() => expect(reader.items).toHaveLength(3))

    for (let count = 0; count < 50; count += 1) await write([textDelta('a', count)])
    await write([finished], 'succeeded')
    await reader.done

    expect(reader.items).toHaveLength(55)
    expect(asked).toHaveLength(1)
    expect(await records.log(id)).toHaveLength(54)
  })

  test('reads the log where a message was lost', async ({
    stream: { claim, read },
    records,
    redis: { keys },
  }) => {
    const { id, reader } = await readingStarted(claim, read)

    // As if it had been written and its message dropped.
    await records.redis.xadd(keys.log(id), '2-0', 'e', JSON.stringify([textDelta('lost')]))
    await records.redis.hset(keys.task(id), 'seq', 2)
    await records.redis.publish(keys.channel(id), `3 ${JSON.stringify([textDelta('early')])}`)
    await eventually(() => expect(reader.items).toHaveLength(2))
    reader.stop()
    await reader.done

    expect(shortly(reader.items)).toEqual(['1 attempt-started', '2 text-delta'])
  })

  test('misses nothing of what is written while the subscriber is cut off', async ({
    stream: { claim, read, subscriber, listeners },
    records,
    redis: { keys },
  }) => {
    const { id, write, reader } = await readingStarted(claim, read)

    for (const text of ['a', 'b', 'c']) {
      await records.redis.client('KILL', 'ID', await subscriber.client('ID'))
      await write([textDelta(text)])
      await eventually(async () => expect(await listeners(keys.channel(id))).toBe(1))
      await eventually(() => expect(reader.items.at(-1)).toMatchObject({ text }))
    }
    // The last message of all is the one that nothing comes after.
    await records.redis.client('KILL', 'ID', await subscriber.client('ID'))
    await write([finished], 'succeeded')
    await reader.done

    expect(reader.items.map((item) => ('seq' in item ? item.seq : item.type))).toEqual([1, 2, 3, 4, 5, 'end'])
  })

  test('a slow reader keeps its place, however much comes', async ({ stream: { claim, read } }) => {
    const { id, write, flood } = await claim()
    await write([started])
    const items = read(id, { after: 0, signal: new AbortController().signal })
    await items.next()

    await flood(700)
    await write([finished], 'succeeded')
    const seen: (number | string)[] = []
    for await (const item of items) seen.push('seq' in item ? item.seq : item.type)

    expect(seen).toEqual([...Array.from({ length: 701 }, (_, index) => index + 2), 'end'])
  })
})

describe('leaves nothing behind', () => {
  test('a hundred readers of a task share one subscription, the last one ends it', async ({
    stream: { claim, read, listeners, subscriber },
    redis: { keys },
  }) => {
    const { id, write } = await claim()
    await write([started])
    const readers = Array.from({ length: 100 }, () => reading(read, id))
    await eventually(() => expect(readers.every(({ items }) => items.length === 1)).toBe(true))
    expect(await listeners(keys.channel(id))).toBe(1)

    for (const { stop, done } of readers.slice(1)) {
      stop()
      await done
    }
    expect(await listeners(keys.channel(id))).toBe(1)
    await write([finished], 'succeeded')
    await readers[0]!.done

    expect(shortly(readers[0]!.items)).toEqual(['1 attempt-started', '2 task-finished', 'end succeeded'])
    await subscriber.ping()
    expect(await listeners(keys.channel(id))).toBe(0)
  })

  test('neither a break nor an error leaves a subscription', async ({
    stream: { claim, read, listeners, subscriber },
    redis: { keys },
  }) => {
    const { id, write } = await claim()
    await write([started])
    for await (const _ of read(id, { after: 0, signal: new AbortController().signal })) break
    await expect(reading(read, 'tsk_none').done).rejects.toMatchObject({ code: 'task_not_found' })

    await subscriber.ping()
    expect(await listeners(keys.channel(id))).toBe(0)
    expect(await listeners(keys.channel('tsk_none'))).toBe(0)
  })

  test('a signal that outlives its readers holds none of them', async ({ stream: { claim, read } }) => {
    const { id, write } = await claim()
    await write([finished], 'succeeded')
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')

    for await (const _ of read(id, { after: 0, signal }));
    await expect(read('tsk_none', { after: 0, signal }).next()).rejects.toThrow('Cannot find task')

    expect(added).toHaveBeenCalledTimes(2)
    expect(removed.mock.calls).toEqual(added.mock.calls)
  })
})

describe('at its signal', () => {
  test('stops while it waits, without an error', async ({ stream: { claim, read } }) => {
    const { reader } = await readingStarted(claim, read)

    reader.stop()

    await expect(reader.done).resolves.toBeUndefined()
  })

  test('gives no further event, however many are read already', async ({ stream: { claim, read } }) => {
    const { id, write } = await claim()
    await write([started, textDelta('a'), textDelta('b')])
    const stop = new AbortController()
    const seen: string[] = []
    for await (const item of read(id, { after: 0, signal: stop.signal })) {
      seen.push(item.type)
      stop.abort()
    }
    for await (const item of read(id, { after: 0, signal: stop.signal })) seen.push(item.type)

    expect(seen).toEqual(['attempt-started'])
  })
})

describe('when Redis is away', () => {
  test('says so at once, and goes on reading where it was live', async ({ stream: { claim }, redis }) => {
    const proxy = await startRedisProxy(redis.url)
    onTestFinished(proxy.stop)
    const client = await connectRedis(proxy.url, { name: 'reader', whenAway: 'fail' })
    const subscriber = await connectRedis(proxy.url, { name: 'subscriber', whenAway: 'wait' })
    const hub = createLiveHub(subscriber, 20)
    onTestFinished(async () => {
      await hub.close()
      client.disconnect()
    })
    const read = createEventReader({ redis: client, keys: redis.keys, hub })
    const { id, write, reader } = await readingStarted(claim, read)

    await proxy.goAway()
    await write([finished], 'succeeded')
    await expect(reading(read, id).done).rejects.toMatchObject({ code: 'redis_unavailable' })
    await proxy.comeBack()
    await eventually(() => expect(reader.items).toHaveLength(3))

    expect(shortly(reader.items)).toEqual(['1 attempt-started', '2 task-finished', 'end succeeded'])
  })
})
