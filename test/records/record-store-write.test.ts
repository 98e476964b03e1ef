import { describe, expect } from 'vitest'
import { parseSpent } from '../../src/ledger/spent.ts'
import { CANCELLED, finished, started, test, textDelta, writeOf } from './records-test.ts'

/** Far away: Redis removes at once what has expired. */
const LEDGER_AT = Date.UTC(2126, 10, 23, 23, 59)
const SPENT = '[["acme/nano",250,6,0,0,0,7,0]]'

describe('write()', () => {
  test('writes fields, events and state in one step', async ({
    records: { store, create, claimed, log },
  }) => {
    const record = await claimed(await create())

    const reply = await store.write(
      writeOf(record, { events: [started, finished], fields: { spent: SPENT }, to: 'succeeded' }),
    )

    expect(reply).toEqual({ status: 'written', seq: 2, cancelRequested: false, next: [] })
    expect(await store.read(record.id)).toMatchObject({
      state: 'succeeded',
      seq: 2,
      finishedAt: 3_000,
      spent: parseSpent(SPENT),
    })
    expect(await log(record.id)).toEqual([
      { seq: 1, ...started },
      { seq: 2, ...finished },
    ])
  })

  test('refuses everything of a worker that was taken over', async ({
    records: { store, create, claimed, log },
  }) => {
    const zombie = await claimed(await create())
    await claimed(zombie.id)
    const before = await store.read(zombie.id)

    for (const what of [
      { events: [started] },
      { fields: { model: 'acme/big' } },
      { to: 'waiting' as const },
      { to: 'succeeded' as const, events: [finished] },
    ])
      expect(await store.write(writeOf(zombie, what))).toEqual({ status: 'stale' })

    expect(await store.read(zombie.id)).toEqual(before)
    expect(await log(zombie.id)).toEqual([])
  })

  test('refuses a worker whose task was returned, cancelled, retried or removed', async ({
    records: { store, create, claimed },
  }) => {
    const returned = await claimed(await create())
    await store.write(writeOf(returned, { to: 'waiting' }))
    expect(await store.write(writeOf(returned, { events: [started] }))).toEqual({ status: 'stale' })

    await store.cancel(returned.id, 4_000, CANCELLED)
    expect(await store.write(writeOf(returned, { events: [started] }))).toEqual({ status: 'stale' })
    await store.retry(returned.id, 5_000, { queue: 'fast' })
    expect(await store.write(writeOf(returned, { events: [started] }))).toEqual({ status: 'stale' })
    await store.cancel(returned.id, 6_000, CANCELLED)
    await store.remove(returned.id)
    expect(await store.write(writeOf(returned, { events: [started] }))).toEqual({ status: 'stale' })
    expect(await store.read(returned.id)).toBeUndefined()
  })

  test.for([
    ['events', { events: [started, textDelta('a')] }],
    ['an end', { events: [finished], to: 'succeeded' as const }],
    ['a hand-over without events', { to: 'waiting' as const, fields: { model: 'acme/mini' } }],
    ['a backoff without events', { to: 'delayed' as const }],
    ['an entry of the ledger', { now: LEDGER_AT, events: [started], ledger: ['a', 2] }],
    ['fields', { fields: { model: 'acme/mini' } }],
  ] as const)(
    'changes nothing when %s come again after a lost reply',
    async ([, what], { records, redis }) => {
      const { store, create, claimed, log } = records
      const record = await claimed(await create())
      const write = writeOf(record, what)
      const state = async () => [
        await records.redis.hgetall(redis.keys.task(record.id)),
        await log(record.id),
        await store.expired(9_999, 0, 10),
        await records.redis.hgetall(redis.keys.ledger('2126-11-23')),
      ]
      const once = await store.write(write)
      const after = await state()

      expect(await store.write(write)).toEqual(once)
      expect(once.status).toBe('written')
      expect(await state()).toEqual(after)
    },
  )

  test('throws when it follows another entry than the last', async ({
    records: { store, create, claimed },
  }) => {
    const record = await claimed(await create())
    await store.write(writeOf(record, { events: [started] }))

    await expect(store.write(writeOf({ ...record, seq: 5 }, { events: [started] }))).rejects.toThrow(
      'its log is at 1, not at 5',
    )
  })

  test('sums up what tasks that end at once say to the ledger, each counted once', async ({
    records,
    redis,
  }) => {
    const { store, create, claimed } = records
    const first = await claimed(await create())
    const second = await claimed(await create())
    const third = await claimed(await create())
    const zombie = await claimed(await create())
    const [again, ...others] = [first, second, third, zombie].map((record) =>
      writeOf(record, { now: LEDGER_AT, events: [finished], ledger: ['a', 2, 'b', 1], to: 'succeeded' }),
    )
    await store.write(again!)
    await claimed(zombie.id)

    const replies = await Promise.all([again!, ...others].map(store.write))

    expect(replies.map(({ status }) => status)).toEqual(['written', 'written', 'written', 'stale'])
    expect(await records.redis.hgetall(redis.keys.ledger('2126-11-23'))).toEqual({ a: '6', b: '3' })
    expect(await store.ids(['running'], undefined, 10)).toEqual([zombie.id])
    expect(await store.expired(Number.MAX_SAFE_INTEGER, 0, 10)).toEqual([first.id, second.id, third.id])
  })

  test('tells that a cancel was asked for', async ({ records: { store, create, claimed } }) => {
    const record = await claimed(await create())

    expect(await store.cancel(record.id, 2_200, CANCELLED)).toEqual({ status: 'requested', queue: 'fast' })
    const reply = await store.write(writeOf(record, { events: [started] }))
    expect(reply).toEqual({ status: 'written', seq: 1, cancelRequested: true, next: [] })
    expect(await store.having('cancelAt', [record.id, 'tsk_none'])).toEqual([record.id])
  })

  test('takes ten thousand events at once', async ({ records: { store, create, claimed, log } }) => {
    const record = await claimed(await create())
    const events = Array.from({ length: 10_000 }, (_, index) => textDelta('x', index))

    const reply = await store.write(writeOf(record, { events }))

    expect(reply).toMatchObject({ status: 'written', seq: 10_000 })
    const read = await log(record.id)
    expect(read).toHaveLength(10_000)
    expect(read.every(({ seq }, index) => seq === index + 1)).toBe(true)
  })

  test('lets the oldest events of a long log go, one batch at a time', async ({
    records: { withLimits, create, claimed, log },
  }) => {
    const store = withLimits({ maxLogEvents: 100 })
    const record = await claimed(await create())
    let { seq } = record
    for (let count = 0; count < 60; count += 1) {
      const events = Array.from({ length: 10 }, () => textDelta('x'))
      await store.write(writeOf({ ...record, seq }, { events }))
      seq += 10
    }

    const read = await log(record.id)

    // `~` trims whole nodes of the stream, so about a hundred stay; the newest always do.
    expect(read.length).toBeLessThan(600)
    expect(read.length).toBeGreaterThanOrEqual(100)
    expect(read.at(-1)!.seq).toBe(600)
    expect(read.every((event, index) => event.seq === read[0]!.seq + index)).toBe(true)
  })
})

describe('write(), with entries of the ledger', () => {
  test('moves that of the day, which expires once it is not kept any more', async ({
    records: { withLimits, create, claimed, redis },
    redis: { keys },
  }) => {
    let ledgerDays = 30
    const store = withLimits({ ledgerDays: () => ledgerDays })
    const now = LEDGER_AT
    const record = await claimed(await create())
    await store.write(writeOf(record, { now, events: [started], ledger: ['a', 2, 'b', 3] }))
    await store.write(writeOf({ ...record, seq: 1 }, { now, events: [started], ledger: ['a', 5] }))
    // A new table is in force, for the days that begin from now on.
    ledgerDays = 10
    await store.write(
      writeOf(
        { ...record, seq: 2 },
        { now: now + 60_000, events: [finished], to: 'succeeded', ledger: ['a', 1] },
      ),
    )

    expect(await redis.hgetall(keys.ledger('2126-11-23'))).toEqual({ a: '7', b: '3' })
    expect(await redis.hgetall(keys.ledger('2126-11-24'))).toEqual({ a: '1' })
    expect(await redis.expiretime(keys.ledger('2126-11-23'))).toBe(Date.UTC(2126, 11, 24) / 1000)
    expect(await redis.expiretime(keys.ledger('2126-11-24'))).toBe(Date.UTC(2126, 11, 5) / 1000)
  })

  test('leaves it alone when the worker has lost the task', async ({
    records: { store, create, claimed, redis },
    redis: { keys },
  }) => {
    const now = LEDGER_AT
    const record = await claimed(await create())
    await claimed(record.id)

    expect(await store.write(writeOf(record, { now, events: [started], ledger: ['a', 2] }))).toEqual({
      status: 'stale',
    })
    expect(await redis.exists(keys.ledger('2126-11-23'))).toBe(0)
  })
})
