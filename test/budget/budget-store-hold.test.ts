import { describe, expect } from 'vitest'
import { budget } from './budget.ts'
import { asking, DAY, test } from './budget-store-test.ts'

describe('hold()', () => {
  test('holds while there is room, and lets who comes after wait for what others hold', async ({ store }) => {
    const { hold, state } = asking(store.open())
    expect(await hold('a', { wantMicroUsd: 600 })).toMatchObject({ answer: { status: 'held' } })
    expect(await hold('b', { wantMicroUsd: 400 })).toMatchObject({ answer: { status: 'held' } })

    expect(await hold('c', { wantMicroUsd: 1 })).toMatchObject({
      answer: { status: 'refused', place: 0, by: { spentMicroUsd: 0, reservedMicroUsd: 1_000 } },
    })
    expect(await state()).toMatchObject({ spentMicroUsd: 0, reservedMicroUsd: 1_000 })
  })

  test('asked again changes nothing, and gives what there is to one that is alone', async ({ store }) => {
    const { hold, settle, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 600 })
    await hold('a', { wantMicroUsd: 600 })
    expect(await state()).toMatchObject({ reservedMicroUsd: 600 })
    await settle('a', 900)

    expect(await hold('b', { wantMicroUsd: 600 })).toMatchObject({ answer: { status: 'held' } })
    expect(await state()).toMatchObject({ spentMicroUsd: 900, reservedMicroUsd: 100 })
    expect(await hold('c', { wantMicroUsd: 600 })).toMatchObject({ answer: { status: 'refused' } })
  })

  test('keeps of each task that asks at once what is its own', async ({ store }) => {
    const narrow = budget({ scope: 'type:lint' })
    const { hold, topUp, settle, state } = asking(store.open())
    for (const id of ['a', 'b', 'c']) await hold(id, {})
    await hold('d', { budgets: [DAY, narrow] })
    await Promise.all([
      topUp('a', { wantMicroUsd: 200, spentMicroUsd: 10 }),
      topUp('b', { wantMicroUsd: 100, spentMicroUsd: 10 }),
      topUp('c', { wantMicroUsd: 100, spentMicroUsd: 50 }),
      topUp('d', { wantMicroUsd: 100, spentMicroUsd: 50, budgets: [DAY, narrow] }),
    ])
    expect(await state()).toMatchObject({ spentMicroUsd: 120, reservedMicroUsd: 500 })

    await settle('b', 10)
    await settle('c', 50)
    expect(await state()).toMatchObject({ spentMicroUsd: 120, reservedMicroUsd: 300 })
    await hold('d', { wantMicroUsd: 100, spentMicroUsd: 50 })
    expect(await state(narrow)).toMatchObject({ spentMicroUsd: 50, reservedMicroUsd: 0 })
  })

  test('takes all budgets or none', async ({ store }) => {
    const narrow = budget({ scope: 'type:lint', limitMicroUsd: 100 })
    const { hold, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 80, budgets: [DAY, narrow] })

    const { answer } = await hold('b', { wantMicroUsd: 80, budgets: [DAY, narrow] })

    expect(answer).toMatchObject({ status: 'refused', by: { budget: narrow } })
    expect(await state(DAY)).toMatchObject({ reservedMicroUsd: 80 })
    expect(await state(narrow)).toMatchObject({ reservedMicroUsd: 80 })
  })

  test('refuses what is spent, and remembers to wake only who waits for the window', async ({ store }) => {
    const waiting = budget({ limitMicroUsd: 100, onExceed: 'queue' })
    const refusing = budget({ scope: 'type:lint', limitMicroUsd: 100 })
    const store1 = store.open()
    const { hold, settle } = asking(store1)
    await hold('a', { budgets: [waiting, refusing] })
    await settle('a', 100, [waiting, refusing])

    expect((await hold('b', { budgets: [waiting] })).answer).toMatchObject({
      status: 'refused',
      by: { spentMicroUsd: 100, resetAt: expect.any(Number) },
    })
    expect((await hold('c', { budgets: [refusing] })).answer).toMatchObject({ status: 'refused' })
    expect([await store1.isWaiting('b', waiting), await store1.isWaiting('c', refusing)]).toEqual([
      true,
      false,
    ])
  })

  test('says from when on another tier is to be taken, and then holds nothing', async ({ store }) => {
    const leaving = budget({ limitMicroUsd: 100, onExceed: 'downgrade', downgradeAtPercent: 80 })
    const { hold, settle, state } = asking(store.open())
    await hold('a', { budgets: [leaving], wantMicroUsd: 50 })
    await settle('a', 79, [leaving])
    expect(await hold('b', { budgets: [leaving], wantMicroUsd: 5 }, 1, 80)).toMatchObject({
      answer: { status: 'held' },
    })
    await settle('b', 1, [leaving])

    expect(await hold('c', { budgets: [leaving], wantMicroUsd: 5 }, 1, 80)).toMatchObject({
      answer: { status: 'downgrade', by: { spentMicroUsd: 80 } },
    })
    expect(await state(leaving)).toMatchObject({ reservedMicroUsd: 0 })
    expect(await hold('c', { budgets: [leaving], wantMicroUsd: 5 })).toMatchObject({
      answer: { status: 'held' },
    })
  })

  test('lets nobody overtake one that waits for more', async ({ store }) => {
    const { hold, settle } = asking(store.open())
    await hold('a', { wantMicroUsd: 500 }, 1)
    await hold('b', { wantMicroUsd: 400 }, 2)
    await hold('big', { wantMicroUsd: 900 }, 3)

    expect((await hold('small', { wantMicroUsd: 50 }, 4)).answer).toMatchObject({
      status: 'refused',
      place: 1,
    })
    expect(await settle('a', 0, [DAY], { wantMicroUsd: 500 })).toEqual(['big'])
    expect((await hold('big', { wantMicroUsd: 900 }, 3)).answer).toMatchObject({
      status: 'refused',
      place: 0,
    })
    expect(await settle('b', 0, [DAY], { wantMicroUsd: 900 })).toEqual(['big'])
    expect(await hold('big', { wantMicroUsd: 900 }, 3)).toMatchObject({
      answer: { status: 'held' },
      woken: [],
    })
    expect(await settle('big', 0)).toEqual(['small'])
  })

  test('wakes as many as there is room for when one comes in', async ({ store }) => {
    const { hold, settle } = asking(store.open())
    await hold('a', { wantMicroUsd: 1_000 }, 1)
    for (const [order, id] of ['b', 'c', 'd', 'e'].entries()) await hold(id, { wantMicroUsd: 300 }, order + 2)
    expect(await settle('a', 0, [DAY], { wantMicroUsd: 1_000 })).toEqual(['b'])

    expect((await hold('b', { wantMicroUsd: 300 }, 2)).woken).toEqual(['c', 'd'])
  })
})

describe('tasks that ask at once', () => {
  test('are let in one after the other, and those that settle among them make room', async ({ store }) => {
    const narrow = budget({ scope: 'type:lint', limitMicroUsd: 700 })
    const { hold, settle, state } = asking(store.open())
    await hold('first', { wantMicroUsd: 500, budgets: [DAY, narrow] })

    const [a, b, , c] = await Promise.all([
      hold('a', { wantMicroUsd: 200, budgets: [DAY, narrow] }, 2),
      hold('b', { wantMicroUsd: 200, budgets: [DAY] }, 3),
      settle('first', 100, [DAY, narrow]),
      hold('c', { wantMicroUsd: 500, budgets: [narrow, DAY] }, 4),
    ])
    expect([a, b, c].map(({ answer }) => answer.status)).toEqual(['held', 'held', 'refused'])
    expect(c.answer).toMatchObject({ by: { budget: narrow, spentMicroUsd: 100, reservedMicroUsd: 200 } })
    expect(await state(DAY)).toMatchObject({ spentMicroUsd: 100, reservedMicroUsd: 400 })
  })
})

describe('a budget that is spent', () => {
  test('tells who waits for what others held, two at a time, each of whom tells two more', async ({
    store,
  }) => {
    const { hold, settle } = asking(store.open())
    await hold('a', { wantMicroUsd: 1_000 })
    for (const [order, id] of ['b', 'c', 'd', 'e', 'f'].entries()) await hold(id, {}, order)

    expect(await settle('a', 1_000)).toEqual(['b', 'c'])
    expect((await hold('b', {}, 1)).woken).toEqual(['d', 'e'])
    // The others come first; who was told and did not come yet is told again.
    expect((await hold('c', {}, 1)).woken).toEqual(['f', 'd'])
  })

  test('tells those again who were told and never came, until they do', async ({ store }) => {
    const { hold, settle, look } = asking(store.open())
    await hold('a', { wantMicroUsd: 1_000 })
    for (const [order, id] of ['b', 'c'].entries()) await hold(id, {}, order)

    expect(await settle('a', 1_000)).toEqual(['b', 'c'])
    expect(await look()).toEqual(['b', 'c'])
    await hold('b', {}, 1)
    expect(await look()).toEqual(['c'])
    await hold('c', {}, 1)
    expect(await look()).toEqual([])
  })
})

describe('look()', () => {
  test('gives one task of each budget that has room: it wakes the others', async ({ store }) => {
    const { hold, look, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 1_000 }, 1)
    await hold('b', { wantMicroUsd: 100 }, 2)
    await hold('c', { wantMicroUsd: 100 }, 3)
    expect(await look()).toEqual([])

    expect(await look([{ ...DAY, limitMicroUsd: 2_000 }])).toEqual(['b'])
    expect(await state()).toMatchObject({ reservedMicroUsd: 1_000 })
  })

  test('does not find who has left the line', async ({ store }) => {
    const store1 = store.open()
    const { hold, settle } = asking(store1)
    await hold('a', { wantMicroUsd: 1_000 }, 1)
    await hold('b', { wantMicroUsd: 100 }, 2)
    await store1.leaveLine('b', [DAY])

    expect(await settle('a', 0)).toEqual([])
  })
})
