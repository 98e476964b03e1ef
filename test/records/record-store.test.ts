import { describe, expect } from 'vitest'
import type { TaskState } from '../../src/tasks/state.ts'
import { CANCELLED, test } from './records-test.ts'

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

describe('having()', () => {
  test('tells which tasks have a field, and guesses nothing where Redis cannot say', async ({
    records: { store, create, redis },
    redis: { keys },
  }) => {
    const [plain, asked] = [await create(), await create('waiting', { cancelAt: 1_500 })]
    expect(await store.having('cancelAt', [plain, asked, 'tsk_none'])).toEqual([asked])

    await redis.set(keys.task('tsk_broken'), 'no hash')
    await expect(store.having('cancelAt', [asked, 'tsk_broken'])).rejects.toThrow('WRONGTYPE')
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
