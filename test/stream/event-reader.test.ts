import { describe, expect, onTestFinished, vi } from 'vitest'
import { connectRedis } from '../../src/redis/connect.ts'
import { createEventReader } from '../../src/stream/event-reader.ts'
import { createLiveHub } from '../../src/stream/live-hub.ts'
import type { NewEvent, StreamItem } from '../../src/tasks/event.ts'
import {
  CANCELLED,
  claimOptions,
  finished,
  MAX_DELIVERIES,
  started,
  textDelta,
} from '../records/records-test.ts'
import { startRedisProxy } from '../redis/redis-proxy.ts'
import { eventually } from '../setup/eventually.ts'
import { reading, shortly, test } from './stream-test.ts'

const OPENING: NewEvent[] = [
  { type: 'task-queued', at: 1_000, attempt: 0, queue: 'fast' },
  {
    type: 'task-routed',
    at: 1_000,
    attempt: 0,
    route: { generation: 1, requested: {}, tier: 'fast', model: 'acme/nano', chain: [], steps: [] },
  },
]

describe('from the log', () => {
  test('gives a finished task from its start to its end', async ({ stream: { claim, read } }) => {
    const { id, write } = await claim()
    await write([...OPENING, started])
    await write([textDelta('Hello'), finished], 'succeeded')

    const { items, done } = reading(read, id)
    await done

    expect(shortly(items)).toEqual([
      '1 task-queued',
      '2 task-routed',
      '3 attempt-started',
      '4 text-delta',
      '5 task-finished',
      'end succeeded',
    ])
    expect(items[3]).toEqual({ seq: 4, ...textDelta('Hello') })
  })

  test('starts after any event, in the middle of a batch too', async ({ stream: { claim, read } }) => {
    const { id, write } = await claim()
    await write([...OPENING, started, textDelta('a'), finished], 'succeeded')

    for (let after = 0; after <= 5; after += 1) {
      const { items, done } = reading(read, id, after)
      await done
      const rest = [1, 2, 3, 4, 5].filter((seq) => seq > after)
      expect(items.map((item) => ('seq' in item ? item.seq : item.type))).toEqual([...rest, 'end'])
    }
  })

  test('says end to a reader that has seen more than there is', async ({ stream: { claim, read } }) => {
    const { id, write } = await claim()
    await write([finished], 'succeeded')

    const { items, done } = reading(read, id, 100)
    await done

    expect(shortly(items)).toEqual(['end succeeded'])
  })

  test('reads a long log page by page', async ({ stream: { claim, read } }) => {
    const { id, write, flood } = await claim()
    await flood(1_200)
    await write([finished], 'succeeded')

    const { items, done } = reading(read, id)
    await done

    expect(items.map((item) => ('seq' in item ? item.seq : item.type))).toEqual([
      ...Array.from({ length: 1_201 }, (_, index) => index + 1),
      'end',
    ])
  })

  test('goes on where a finished task was retried', async ({
    records: { store },
    stream: { claim, read },
  }) => {
    const { id, write } = await claim()
    await write([finished], 'succeeded')
    await store.retry(id, 5_000, { queue: 'fast' })
    const reader = reading(read, id)
    await eventually(() => expect(reader.items).toHaveLength(2))

    const again = await claim(id)
    await again.write([started, finished], 'succeeded')
    await reader.done

    expect(shortly(reader.items)).toEqual([
      '1 task-finished',
      '2 task-retried',
      '3 attempt-started',
      '4 task-finished',
      'end succeeded',
    ])
  })
})

describe('before the first claim', () => {
  test('gives the opening events of the record, then what comes, without a repeat', async ({
    records: { create },
    stream: { claim, read },
  }) => {
    const id = await create()
    const reader = reading(read, id)
    await eventually(() => expect(reader.items).toHaveLength(2))
    expect(reader.items).toEqual(OPENING.map((event, index) => ({ seq: index + 1, ...event })))

    const { write } = await claim(id)
    await write([...OPENING, started])
    await write([finished], 'succeeded')
    await reader.done

    expect(shortly(reader.items)).toEqual([
      '1 task-queued',
      '2 task-routed',
      '3 attempt-started',
      '4 task-finished',
      'end succeeded',
    ])
  })

  test('ends when the waiting task is cancelled', async ({
    records: { create, store },
    stream: { read },
  }) => {
    const id = await create()
    const reader = reading(read, id, 1)
    await eventually(() => expect(reader.items).toHaveLength(1))

    await store.cancel(id, 4_000, CANCELLED)
    await reader.done

    expect(shortly(reader.items)).toEqual(['2 task-routed', '3 task-finished', 'end cancelled'])
  })

  test('ends when the task is given up', async ({ records: { create, store }, stream: { read } }) => {
    const id = await create()
    const reader = reading(read, id)
    await eventually(() => expect(reader.items).toHaveLength(2))

    for (let count = 0; count <= MAX_DELIVERIES; count += 1) await store.claim(id, claimOptions())
    await reader.done

    expect(shortly(reader.items).slice(2)).toEqual(['3 task-finished', 'end failed'])
  })
})

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
    const { id, write } = await claim()
    await write([started])
    const reader = reading(read, id)
    await eventually(() => expect(reader.items).toHaveLength(1))

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
    const { id, write } = await claim()
    await write([started])
    const reader = reading(read, id)
    await eventually(() => expect(reader.items).toHaveLength(1))

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

describe('a trimmed log', () => {
  test('is told by reset, with what is missing', async ({
    records,
    stream: { claim, read },
    redis: { keys },
  }) => {
    const { id, write } = await claim()
    for (let count = 0; count < 10; count += 1) await write([textDelta('a'), textDelta('b')])
    await write([finished], 'succeeded')
    await records.redis.xtrim(keys.log(id), 'MINID', 12)

    const whole = reading(read, id)
    const late = reading(read, id, 7)
    const later = reading(read, id, 10)
    await Promise.all([whole.done, late.done, later.done])

    expect(shortly(whole.items).slice(0, 2)).toEqual(['reset 1..10', '11 text-delta'])
    expect(shortly(late.items).slice(0, 2)).toEqual(['reset 8..10', '11 text-delta'])
    expect(shortly(later.items)[0]).toBe('11 text-delta')
    expect(whole.items.at(-1)).toEqual({ type: 'end', state: 'succeeded' })
  })

  test('is told to a reader that fell behind the trimming', async ({
    records,
    stream: { claim, read },
    redis: { keys },
  }) => {
    const { id, write, flood } = await claim()
    await write([started])
    const items = read(id, { after: 0, signal: new AbortController().signal })
    await items.next()

    await flood(400)
    await records.redis.xtrim(keys.log(id), 'MINID', 300)
    await write([finished], 'succeeded')
    const rest: StreamItem[] = []
    for await (const item of items) rest.push(item)

    const told = shortly(rest)
    const at = told.findIndex((item) => item.startsWith('reset'))
    expect(told.slice(at, at + 2)).toEqual([`reset ${at + 2}..299`, '300 text-delta'])
    expect(told.at(-1)).toBe('end succeeded')
  })

  test('that is gone says log_expired, and nothing to who has seen all', async ({
    records,
    stream: { claim, read },
    redis: { keys },
  }) => {
    const { id, write } = await claim()
    await write([started, finished], 'succeeded')
    await records.redis.del(keys.log(id))

    await expect(reading(read, id).done).rejects.toMatchObject({ code: 'log_expired' })
    await expect(reading(read, id, 1).done).rejects.toMatchObject({ code: 'log_expired' })
    const { items, done } = reading(read, id, 2)
    await done
    expect(shortly(items)).toEqual(['end succeeded'])
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

describe('asked by hand', () => {
  test('answers in order to who asks before the last answer is there', async ({
    stream: { claim, read },
  }) => {
    const { id, write } = await claim()
    await write([started, textDelta('a')])
    const items = read(id, { after: 0, signal: new AbortController().signal })
    const answers = Array.from({ length: 5 }, () => items.next())
    await answers[1]
    await write([finished], 'succeeded')

    const told = (await Promise.all(answers)).map(({ value }) => value?.type)
    expect(told).toEqual(['attempt-started', 'text-delta', 'task-finished', 'end', undefined])
  })

  test('is told that it is over while it waits', async ({
    stream: { claim, read, listeners, subscriber },
    redis: { keys },
  }) => {
    const { id, write } = await claim()
    await write([started])
    const items = read(id, { after: 0, signal: new AbortController().signal })
    await items.next()
    const waiting = items.next()
    await items.return?.()

    expect(await waiting).toEqual({ value: undefined, done: true })
    await subscriber.ping()
    expect(await listeners(keys.channel(id))).toBe(0)
  })
})

describe('at its signal', () => {
  test('stops while it waits, without an error', async ({ stream: { claim, read } }) => {
    const { id, write } = await claim()
    await write([started])
    const reader = reading(read, id)
    await eventually(() => expect(reader.items).toHaveLength(1))

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
    const { id, write } = await claim()
    await write([started])
    const reader = reading(read, id)
    await eventually(() => expect(reader.items).toHaveLength(1))

    await proxy.goAway()
    await write([finished], 'succeeded')
    await expect(reading(read, id).done).rejects.toMatchObject({ code: 'redis_unavailable' })
    await proxy.comeBack()
    await eventually(() => expect(reader.items).toHaveLength(3))

    expect(shortly(reader.items)).toEqual(['1 attempt-started', '2 task-finished', 'end succeeded'])
  })
})
