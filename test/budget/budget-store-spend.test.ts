import { describe, expect } from 'vitest'
import type { Budget } from '../../src/routing/table.ts'
import { budget } from './budget.ts'
import { asking, DAY, over, test } from './budget-store-test.ts'

describe('topUp()', () => {
  test('counts the increase of what was spent, once, and holds for the next steps', async ({ store }) => {
    const { hold, topUp, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 200 })

    for (const spentMicroUsd of [50, 50, 30])
      expect(await topUp('a', { spentMicroUsd, wantMicroUsd: 300 })).toEqual({ status: 'held' })

    expect(await state()).toMatchObject({ spentMicroUsd: 50, reservedMicroUsd: 300 })
  })

  test('gives less while that covers a step, then refuses and leaves what was held', async ({ store }) => {
    const { hold, topUp, settle, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 500 })
    await hold('b', { wantMicroUsd: 500 })

    expect(await topUp('a', { spentMicroUsd: 200, wantMicroUsd: 500, leastMicroUsd: 300 })).toEqual({
      status: 'held',
    })
    expect(await state()).toMatchObject({ spentMicroUsd: 200, reservedMicroUsd: 800 })
    expect(await topUp('a', { spentMicroUsd: 210, wantMicroUsd: 500, leastMicroUsd: 300 })).toMatchObject({
      status: 'refused',
    })
    expect(await state()).toMatchObject({ spentMicroUsd: 210, reservedMicroUsd: 790 })
    await settle('a', 230)
    expect(await state()).toMatchObject({ spentMicroUsd: 230, reservedMicroUsd: 500 })
  })

  test('lets one that is alone use all of it, and stops it at the end', async ({ store }) => {
    const { hold, topUp } = asking(store.open())
    await hold('a', { wantMicroUsd: 900 })

    const step = (spentMicroUsd: number) =>
      topUp('a', { spentMicroUsd, wantMicroUsd: 900, leastMicroUsd: 600 })
    expect(await step(500)).toEqual({ status: 'held' })
    expect(await step(999)).toEqual({ status: 'held' })
    expect(await step(1_000)).toMatchObject({ status: 'refused', by: { spentMicroUsd: 1_000 } })
  })

  test('moves to the budgets of another model, and leaves with the first what it cost', async ({ store }) => {
    const [acme, globex] = [budget({ scope: 'provider:acme' }), budget({ scope: 'provider:globex' })]
    const store1 = store.open()
    const { hold, topUp, state } = asking(store1)
    const count = (budget: Budget, spentMicroUsd: number) => ({ budget, spentMicroUsd, holds: false })
    const pay = (budget: Budget, spentMicroUsd: number) => ({ budget, spentMicroUsd, holds: true })
    await hold('a', { wantMicroUsd: 100, budgets: [DAY, acme] })
    await topUp('a', { wantMicroUsd: 100, shares: [pay(DAY, 40), count(acme, 40), pay(globex, 0)] })
    expect(await state(acme)).toMatchObject({ spentMicroUsd: 40, reservedMicroUsd: 0 })
    expect(await state(globex)).toMatchObject({ spentMicroUsd: 0, reservedMicroUsd: 100 })
    await store1.settle({
      ...{ taskID: 'a', fence: 1, wantMicroUsd: 100 },
      shares: [pay(DAY, 100), count(acme, 40), pay(globex, 60)],
    })

    const spent = await Promise.all([DAY, acme, globex].map((one) => state(one)))
    expect(spent.map(({ spentMicroUsd }) => spentMicroUsd)).toEqual([100, 40, 60])
    expect(spent.every(({ reservedMicroUsd }) => reservedMicroUsd === 0)).toBe(true)
  })

  test('of a worker that was taken over counts what it spent, and changes no hold', async ({ store }) => {
    const { hold, topUp, settle, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 100, fence: 1 })
    await hold('a', { wantMicroUsd: 200, fence: 2 })

    expect(await topUp('a', { spentMicroUsd: 30, wantMicroUsd: 900, fence: 1 })).toEqual({ status: 'stale' })
    expect(await state()).toMatchObject({ spentMicroUsd: 30, reservedMicroUsd: 200 })
    await settle('a', 20, [DAY], { fence: 2 })
    expect(await state()).toMatchObject({ spentMicroUsd: 30, reservedMicroUsd: 0 })
  })
})

describe('settle()', () => {
  test('counts once, however often it is told, also after the task began anew', async ({ store }) => {
    const { hold, settle, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 500 })
    await settle('a', 120)
    await settle('a', 120)
    // Its worker died before it wrote that down: the record knows nothing of the 120.
    await hold('a', { wantMicroUsd: 500, spentMicroUsd: 0 })
    await settle('a', 150)

    expect(await state()).toMatchObject({ spentMicroUsd: 150, reservedMicroUsd: 0 })
  })

  test('of a task that held nothing counts nothing', async ({ store, redis: { keys } }) => {
    const { settle, state } = asking(store.open())
    await settle('a', 120)

    expect(await state()).toMatchObject({ spentMicroUsd: 0 })
    expect(await store.client.hlen(keys.holds)).toBe(0)
  })

  test('does not count what a task had spent before it came under the budget', async ({ store }) => {
    const { hold, settle, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 100, spentMicroUsd: 5_000 })
    await settle('a', 5_070)

    expect(await state()).toMatchObject({ spentMicroUsd: 70 })
  })
})

describe('end()', () => {
  test('remembers nothing of what its own claim held, and leaves alone what its successor holds', async ({
    store,
  }) => {
    const store1 = store.open()
    const { hold, settle, state } = asking(store1)
    await hold('a', { fence: 1 })
    await settle('a', 30)
    await hold('a', { fence: 2, spentMicroUsd: 30 })

    await store1.end(over('a', 1, 30))
    expect(await state()).toMatchObject({ spentMicroUsd: 30, reservedMicroUsd: 100 })
    await store1.end(over('a', 2, 50))
    await store1.end(over('a', 2, 50))
    expect(await state()).toMatchObject({ spentMicroUsd: 50, reservedMicroUsd: 0 })
    for await (const ids of store1.holders()) expect(ids).toEqual([])
  })
})

describe('a worker that was taken over', () => {
  test('is known by its own fence, whoever asks at once', async ({ store }) => {
    const { hold, topUp, state } = asking(store.open())
    await hold('a', { fence: 1 })
    await hold('b', { fence: 5 })
    const more = { wantMicroUsd: 200, spentMicroUsd: 10 }
    await Promise.all([topUp('a', { ...more, fence: 1 }), topUp('b', { ...more, fence: 5 })])

    expect(await topUp('a', { ...more, fence: 1 })).toEqual({ status: 'held' })
    expect(await topUp('b', { ...more, fence: 4 })).toEqual({ status: 'stale' })
    expect(await state()).toMatchObject({ reservedMicroUsd: 400 })
  })

  test('holds nothing, and counts nothing, once its successor has ended the task', async ({ store }) => {
    const store1 = store.open()
    const { hold, topUp, settle, state } = asking(store1)
    await hold('a', { fence: 1 })
    await hold('a', { fence: 2 })
    await store1.end(over('a', 2, 40))

    expect(await topUp('a', { fence: 1, spentMicroUsd: 10 })).toEqual({ status: 'stale' })
    expect((await hold('a', { fence: 1 })).answer).toEqual({ status: 'stale' })
    await settle('a', 20, [DAY], { fence: 1 })
    for await (const ids of store1.holders()) expect(ids).toEqual([])
    expect(await state()).toMatchObject({ spentMicroUsd: 40, reservedMicroUsd: 0 })
  })
})

describe('what a worker leaves that dies', () => {
  test('is held until the task is taken over, which holds instead of it', async ({ store }) => {
    const { hold, adopt, settle, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 800 })
    expect((await hold('b', { wantMicroUsd: 500 }, 2)).answer).toMatchObject({ status: 'refused' })

    expect(await adopt('a', { wantMicroUsd: 700, fence: 2 })).toEqual({ status: 'held' })
    expect(await state()).toMatchObject({ spentMicroUsd: 0, reservedMicroUsd: 800 })
    expect(await settle('a', 10, [DAY], { fence: 2 })).toEqual(['b'])
    expect(await state()).toMatchObject({ spentMicroUsd: 10, reservedMicroUsd: 0 })
  })

  test('is known, until somebody says that the task is over', async ({ store, redis: { keys } }) => {
    const store1 = store.open()
    const { hold, settle, state } = asking(store1)
    const holders = async () => {
      const found: string[] = []
      for await (const ids of store1.holders()) found.push(...ids)
      return found.sort()
    }
    await hold('a', {})
    await hold('b', { wantMicroUsd: 10 })
    await settle('b', 5)
    expect(await holders()).toEqual(['a', 'b'])

    await settle('b', 7, [DAY], { isOver: true })
    await settle('a', 0, [], { isOver: true })
    expect(await holders()).toEqual([])
    expect(await store.client.exists(keys.holds)).toBe(0)
    expect(await state()).toMatchObject({ spentMicroUsd: 7, reservedMicroUsd: 0 })
    // A second time it is nobody's.
    await settle('b', 9, [DAY], { isOver: true })
    expect(await state()).toMatchObject({ spentMicroUsd: 7 })
  })
})
