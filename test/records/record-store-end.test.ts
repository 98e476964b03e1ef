import { describe, expect } from 'vitest'
import { parseSpent } from '../../src/ledger/spent.ts'
import type { TaskFailure } from '../../src/tasks/task.ts'
import { CANCELLED, claimOptions, finished, MAX_DELIVERIES, test, writeOf } from './records-test.ts'

const SPENT = '[["acme/nano",250,6,0,0,0,7,0]]'

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
