import { describe, expect } from 'vitest'
import { parseSpent } from '../../src/ledger/spent.ts'
import type { TaskState } from '../../src/tasks/state.ts'
import type { TaskFailure } from '../../src/tasks/task.ts'
import {
  CANCELLED,
  claimOptions,
  finished,
  MAX_DELIVERIES,
  POISON,
  recordFields,
  started,
  test,
  textDelta,
  writeOf,
} from './records-test.ts'

/** Far away: Redis removes at once what has expired. */
const LEDGER_AT = Date.UTC(2126, 10, 23, 23, 59)
const SPENT = '[["acme/nano",250,6,0,0,0,7,0]]'

describe('create()', () => {
  test('writes what comes in one turn of the event loop together, each as it is', async ({
    records: { store },
  }) => {
    const ids = Array.from({ length: 50 }, (_, index) => `tsk_${String(index).padStart(2, '0')}`)

    const answers = await Promise.all(
      ids.map((id, index) =>
        store.create(id, index % 2 === 0 ? 'waiting' : 'delayed', {
          ...recordFields(),
          ...(index % 2 === 1 && { delayUntil: index }),
        }),
      ),
    )

    expect(answers).toEqual(ids.map(() => ({ status: 'created', before: 0 })))
    expect(await store.ids(undefined, undefined, 100)).toEqual(ids.toReversed())
    expect(await store.ids(['waiting'], undefined, 100)).toEqual(ids.toReversed())
    expect(await store.readMany(ids)).toMatchObject(
      ids.map((id, index) => ({
        id,
        state: index % 2 === 0 ? 'waiting' : 'delayed',
        delayUntil: index % 2 === 0 ? 0 : index,
      })),
    )
  })

  test('leaves a task that has the id alone: a script whose reply was lost is sent again', async ({
    records: { store, create },
  }) => {
    const id = await create()
    await store.claim(id, claimOptions())

    expect(await store.create(id, 'waiting', { ...recordFields(), model: 'acme/big' })).toEqual({
      status: 'created',
      before: 0,
    })
    expect(await store.read(id)).toMatchObject({ state: 'running', model: 'acme/nano' })
  })

  test('writes as many as there is room for, and has room again when a task is over', async ({
    records: { withLimits, create },
  }) => {
    const store = withLimits({ maxWaitingTasks: 3 })
    const first = await create()
    const submit = (id: string) => store.create(id, 'waiting', recordFields())

    expect(await Promise.all(['tsk_2', 'tsk_3', 'tsk_4', 'tsk_5'].map(submit))).toEqual([
      { status: 'created', before: 0 },
      { status: 'created', before: 0 },
      { status: 'full' },
      { status: 'full' },
    ])
    expect(await store.read('tsk_4')).toBeUndefined()
    expect(await submit('tsk_4')).toEqual({ status: 'full' })
    await store.cancel(first, 1_500, CANCELLED)
    expect(await submit('tsk_4')).toEqual({ status: 'created', before: 0 })
  })
})

describe('claim()', () => {
  test('gives what a worker must know', async ({ records: { store, create } }) => {
    const input = { type: 'lint', prompt: 'Say hello' }
    const id = await create('waiting', { input: JSON.stringify(input), directory: '/project' })

    const claim = await store.claim(id, claimOptions())

    expect(claim).toMatchObject({ status: 'claimed' })
    const { record } = claim as Extract<typeof claim, { status: 'claimed' }>
    expect(record).toMatchObject({ state: 'running', queue: 'fast', type: 'lint', tier: 'fast' })
    expect(record).toMatchObject({ directory: '/project', model: 'acme/nano', createdAt: 1_000 })
    expect(record).toMatchObject({ fence: 1, attempt: 1, seq: 0, startedAt: 2_000, checkpoint: null })
    expect(record.input).toEqual(input)
    expect(await store.read(id)).toEqual(record)
  })

  test('is no claim for a task that is gone, over, or queued elsewhere', async ({
    records: { store, create },
  }) => {
    const id = await create()

    expect(await store.claim('tsk_none', claimOptions())).toEqual({ status: 'gone' })
    expect(await store.claim(id, claimOptions({ queue: 'powerful' }))).toEqual({ status: 'moved' })
    await store.cancel(id, 1_500, CANCELLED)
    expect(await store.claim(id, claimOptions())).toEqual({ status: 'finished' })
    expect(await store.read(id)).toMatchObject({ attempt: 0, state: 'cancelled' })
  })

  test('takes a running task over, with all that was written, and keeps its start', async ({
    records: { store, create, claimed },
  }) => {
    const id = await create()
    const first = await claimed(id)
    const checkpoint = { index: 0, try: 0, model: 'acme/nano' }
    await store.write(
      writeOf(first, {
        events: [started],
        fields: { checkpoint: JSON.stringify(checkpoint), sessionID: 'ses_1', server: 's1' },
      }),
    )

    const second = await store.claim(id, claimOptions({ now: 5_000 }))

    expect(second).toMatchObject({ status: 'claimed' })
    expect(second).toMatchObject({ record: { fence: 2, attempt: 2, seq: 1, startedAt: 2_000 } })
    expect(second).toMatchObject({ record: { checkpoint, sessionID: 'ses_1', server: 's1' } })
  })

  test('says that a cancel was asked for', async ({ records: { store, create, claimed } }) => {
    const id = await create()
    await claimed(id)
    await store.cancel(id, 2_200, CANCELLED)

    expect((await claimed(id)).cancelAt).toBe(2_200)
  })

  test('counts once when it is repeated after a lost reply', async ({ records: { store, create } }) => {
    const id = await create()
    const options = claimOptions()

    const once = await store.claim(id, options)
    const again = await store.claim(id, options)

    expect(again).toEqual(once)
    expect(again).toMatchObject({ record: { fence: 1, attempt: 1 } })
  })

  test('fails a task that is claimed again and again, and never finished nor returned', async ({
    records: { store, create, claimed, log, redis },
    redis: { keys },
  }) => {
    const id = await create()
    for (let count = 1; count <= MAX_DELIVERIES; count += 1) expect((await claimed(id)).attempt).toBe(count)

    expect(await store.claim(id, claimOptions({ now: 7_000 }))).toEqual({ status: 'poisoned' })
    const lostWorkers = Array.from({ length: MAX_DELIVERIES }, (_, n) => ({
      worker: expect.stringMatching(/^[^/]+$/),
      attempt: n + 1,
      lostAt: n + 1 === MAX_DELIVERIES ? 7_000 : 2_000,
    }))
    const error = { ...POISON, lostWorkers }
    expect(await store.read(id)).toMatchObject({ state: 'failed', error, finishedAt: 7_000 })
    expect(await log(id)).toMatchObject([
      { seq: 1, type: 'task-queued', at: 1_000, queue: 'fast' },
      { seq: 2, type: 'task-routed', at: 1_000, route: { model: 'acme/nano' } },
      { seq: 3, type: 'task-finished', at: 7_000, attempt: MAX_DELIVERIES, state: 'failed', error },
    ])
    // Kept as long as the task.
    expect(await redis.pttl(keys.log(id))).toBe(-1)
    expect(await store.ids(['failed'], undefined, 10)).toEqual([id])
    expect(await store.ids(['running'], undefined, 10)).toEqual([])
  })

  test('goes on with the log of a poisoned task that has one', async ({
    records: { store, create, claimed, log },
  }) => {
    const id = await create()
    await store.write(writeOf(await claimed(id), { events: [started, textDelta('a')] }))
    for (let count = 2; count <= MAX_DELIVERIES; count += 1) await claimed(id)

    await store.claim(id, claimOptions())

    expect((await log(id)).map(({ seq, type }) => `${seq} ${type}`)).toEqual([
      '1 attempt-started',
      '2 text-delta',
      '3 task-finished',
    ])
  })

  test.for(['waiting', 'delayed'] as const)(
    'does not count a delivery that was returned as %s',
    async (state, { records: { store, create, claimed, redis }, redis: { keys } }) => {
      const id = await create()
      for (let count = 0; count < 3 * MAX_DELIVERIES; count += 1) {
        const record = await claimed(id)
        expect(await store.write(writeOf(record, { to: state }))).toMatchObject({ status: 'written' })
      }

      expect(await store.read(id)).toMatchObject({ state, attempt: 3 * MAX_DELIVERIES })
      expect(await redis.hexists(keys.task(id), 'lost')).toBe(0)
    },
  )
})

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

describe('cancel()', () => {
  test.for(['waiting', 'delayed'] as const)('ends a task that is %s', async (state, { records }) => {
    const { store, create, log } = records
    const id = await create(state)

    expect(await store.cancel(id, 1_500, CANCELLED)).toEqual({ status: 'cancelled', queue: 'fast' })
    expect(await store.read(id)).toMatchObject({ state: 'cancelled', error: CANCELLED, finishedAt: 1_500 })
    expect((await log(id)).map(({ seq, type }) => `${seq} ${type}`)).toEqual([
      '1 task-queued',
      '2 task-routed',
      '3 task-finished',
    ])
    expect(await store.cancel(id, 1_600, CANCELLED)).toEqual({ status: 'finished', queue: 'fast' })
  })

  test('asks the worker of a running task, the first time counts', async ({ records }) => {
    const { store, create, claimed } = records
    const record = await claimed(await create())

    await store.cancel(record.id, 2_200, CANCELLED)
    await store.cancel(record.id, 2_300, CANCELLED)

    expect(await store.read(record.id)).toMatchObject({ state: 'running', cancelAt: 2_200 })
  })

  test('knows no task that is gone', async ({ records: { store } }) => {
    expect(await store.cancel('tsk_none', 1, CANCELLED)).toEqual({ status: 'gone', queue: '' })
  })
})

describe('expire()', () => {
  const late: TaskFailure = { code: 'queue_timeout', message: 'late', retryable: true }

  test('fails a task that never started, and keeps its log', async ({ records, redis: { keys } }) => {
    const { store, create, log, redis } = records
    const id = await create('delayed')

    expect([await store.expire(id, 1_500, late), await store.expire(id, 1_600, late)]).toEqual([true, false])
    expect(await store.read(id)).toMatchObject({ state: 'failed', error: late, finishedAt: 1_500 })
    expect((await log(id)).at(-1)).toMatchObject({ type: 'task-finished', state: 'failed' })
    expect(await redis.pttl(keys.log(id))).toBe(-1)
  })

  test('leaves alone what runs, what has started once, and what is gone', async ({ records }) => {
    const { store, create, claimed } = records
    const record = await claimed(await create())

    expect(await store.expire(record.id, 2_500, late)).toBe(false)
    await store.write(writeOf(record, { to: 'delayed', fields: { startedAt: 2_000 } }))
    expect(await store.expire(record.id, 2_500, late)).toBe(false)
    expect(await store.read(record.id)).toMatchObject({ state: 'delayed', cancelAt: null })
    expect(await store.expire('tsk_none', 2_500, late)).toBe(false)
  })
})

describe('write(), with entries of the ledger', () => {
  test('moves that of the day, which expires once it is not kept any more', async ({
    records: { withLimits, create, claimed, redis },
    redis: { keys },
  }) => {
    const store = withLimits({ ledgerDays: 30 })
    const now = LEDGER_AT
    const record = await claimed(await create())
    await store.write(writeOf(record, { now, events: [started], ledger: ['a', 2, 'b', 3] }))
    await store.write(writeOf({ ...record, seq: 1 }, { now, events: [started], ledger: ['a', 5] }))
    await store.write(
      writeOf(
        { ...record, seq: 2 },
        { now: now + 60_000, events: [finished], to: 'succeeded', ledger: ['a', 1] },
      ),
    )

    expect(await redis.hgetall(keys.ledger('2126-11-23'))).toEqual({ a: '7', b: '3' })
    expect(await redis.hgetall(keys.ledger('2126-11-24'))).toEqual({ a: '1' })
    expect(await redis.expiretime(keys.ledger('2126-11-23'))).toBe(Date.UTC(2126, 11, 24) / 1000)
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

describe('retry()', () => {
  test('starts a task anew and keeps log, spending and metadata', async ({ records, redis: { keys } }) => {
    const { store, create, claimed, log, redis } = records
    const record = await claimed(await create('delayed', { delayUntil: 9_000_000 }))
    const fields = {
      spent: SPENT,
      sessionID: 'ses_1',
      server: 's1',
      done: '[{"text":"a"}]',
      checkpoint: '{}',
    }
    await store.write(writeOf(record, { events: [finished], fields, to: 'failed' }))

    const reply = await store.retry(record.id, 5_000, {
      queue: 'powerful',
      model: 'acme/big',
    })

    expect(reply).toMatchObject({ status: 'waiting' })
    expect(await store.read(record.id)).toMatchObject({
      state: 'waiting',
      queue: 'powerful',
      model: 'acme/big',
      retries: 1,
      spent: parseSpent(SPENT),
      delayUntil: 0,
      startedAt: null,
      finishedAt: null,
      error: null,
      sessionID: null,
      server: null,
      checkpoint: null,
      done: [],
    })
    expect((await log(record.id)).at(-1)).toMatchObject({ seq: 2, type: 'task-retried' })
    expect(await redis.pttl(keys.log(record.id))).toBe(-1)
    expect(await store.ids(['waiting'], undefined, 10)).toEqual([record.id])
    expect(await store.ids(['failed'], undefined, 10)).toEqual([])
    expect(await store.expired(9_999, 0, 10)).toEqual([])
  })

  test('counts deliveries from nothing again', async ({ records: { store, create, claimed } }) => {
    const id = await create()
    for (let count = 0; count < MAX_DELIVERIES; count += 1) await claimed(id)
    await store.claim(id, claimOptions())

    await store.retry(id, 5_000, { queue: 'fast' })

    expect(await store.claim(id, claimOptions())).toMatchObject({ status: 'claimed' })
  })

  test('is refused for a task that is not over, and for none', async ({ records: { store, create } }) => {
    expect(await store.retry(await create(), 1, { queue: 'fast' })).toMatchObject({ status: 'unfinished' })
    expect(await store.retry('tsk_none', 1, { queue: 'fast' })).toMatchObject({ status: 'gone' })
  })
})

describe('remove()', () => {
  test('takes record, log and every index', async ({
    records: { store, create, redis },
    redis: { keys },
  }) => {
    const id = await create()
    await store.cancel(id, 1_500, CANCELLED)

    expect(await store.remove(id)).toEqual({ status: 'removed', queue: 'fast' })
    expect(await redis.keys(`${keys.root}*`)).toEqual([])
    expect(await store.remove(id)).toEqual({ status: 'gone', queue: '' })
  })

  test('leaves a task alone that is not over', async ({ records: { store, create, claimed } }) => {
    const { id } = await claimed(await create())

    expect(await store.remove(id)).toEqual({ status: 'unfinished', queue: 'fast' })
    expect(await store.read(id)).toBeDefined()
  })

  test('forgets the name of a record that is lost', async ({ records, redis: { keys } }) => {
    const { store, create, redis } = records
    const id = await create()
    await store.cancel(id, 1_500, CANCELLED)
    await redis.del(keys.task(id))

    await store.remove(id)

    expect(await store.ids(undefined, undefined, 10)).toEqual([])
    expect(await store.expired(9_999, 0, 10)).toEqual([])
  })
})

describe('ids()', () => {
  test('gives the newest first, page by page', async ({ records: { store, create } }) => {
    const created: string[] = []
    for (let count = 0; count < 5; count += 1) created.unshift(await create())

    const first = await store.ids(undefined, undefined, 2)
    const second = await store.ids(undefined, first.at(-1), 10)

    expect([...first, ...second]).toEqual(created)
  })

  test('merges the sets of several states', async ({ records: { store, create } }) => {
    const cancelled = await create()
    const waiting = await create()
    const alsoCancelled = await create()
    for (const id of [cancelled, alsoCancelled]) await store.cancel(id, 1_500, CANCELLED)
    const states: TaskState[] = ['cancelled', 'waiting']

    expect(await store.ids(states, undefined, 2)).toEqual([alsoCancelled, waiting])
    expect(await store.ids(states, waiting, 2)).toEqual([cancelled])
    expect(await store.ids(['succeeded'], undefined, 10)).toHaveLength(3)
  })
})

describe('readMany()', () => {
  test('keeps the order and the holes', async ({ records: { store, create } }) => {
    const ids = [await create(), 'tsk_none', await create()]

    const records = await store.readMany(ids)

    expect(records.map((record) => record?.id)).toEqual([ids[0], undefined, ids[2]])
    expect(await store.readMany([])).toEqual([])
  })
})

describe('expired()', () => {
  test('gives what is too old, and what is beyond the newest to keep', async ({ records }) => {
    const { store, create } = records
    const ids: string[] = []
    for (const finishedAt of [1_000, 2_000, 3_000, 4_000]) {
      const id = await create()
      await store.cancel(id, finishedAt, CANCELLED)
      ids.push(id)
    }
    await create()

    expect(await store.expired(2_000, 100, 10)).toEqual(ids.slice(0, 1))
    expect(await store.expired(0, 1, 10)).toEqual(ids.slice(0, 3))
    expect(await store.expired(3_000, 3, 10)).toEqual(ids.slice(0, 2))
    expect(await store.expired(9_000, 0, 3)).toEqual(ids.slice(0, 3))
    expect(await store.expired(0, 4, 10)).toEqual([])
  })
})
