import { describe, expect } from 'vitest'
import {
  CANCELLED,
  claimOptions,
  MAX_DELIVERIES,
  POISON,
  started,
  test,
  textDelta,
  writeOf,
} from './records-test.ts'

describe('claim()', () => {
  test('gives what a worker must know', async ({ records: { store, create } }) => {
    // Whatever is in it comes through two kinds of JSON.
    const input = { type: 'lint', prompt: 'Say "hello"\\ to \u0000 /é\u2028\u007f😀\n' }
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
