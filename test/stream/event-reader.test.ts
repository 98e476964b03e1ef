import { describe, expect } from 'vitest'
import type { StreamItem } from '../../src/tasks/event.ts'
import {
  CANCELLED,
  claimOptions,
  finished,
  MAX_DELIVERIES,
  started,
  textDelta,
} from '../records/records-test.ts'
import { eventually } from '../setup/eventually.ts'
import { OPENING, reading, shortly, test } from './stream-test.ts'

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
