import { describe, expect } from 'vitest'
import { type BudgetStore, createBudgetStore, type HoldRequest } from '../../src/budget/budget-store.ts'
import type { BudgetShare } from '../../src/budget/budgets-of.ts'
import type { RedisClient } from '../../src/redis/connect.ts'
import { createQuotas } from '../../src/redis/quotas.ts'
import { defineScripts } from '../../src/redis/scripts.ts'
import type { Budget } from '../../src/routing/table.ts'
import { test as base } from '../setup/redis-test.ts'
import { budget } from './budget.ts'

interface OpenStore extends BudgetStore {
  /** The worker of this claim runs the task. */
  runs(taskID: string, fence: number): Promise<void>
  /** The tasks that were told to try since this was last asked. */
  woken(): string[]
}

interface StoreFixture {
  open(options?: { skewMs?: number }): OpenStore
  client: RedisClient
}

const test = base.extend<{ store: StoreFixture }>({
  store: async ({ redis: { keys, connect } }, use) => {
    const client = await connect('fail')
    const scripts = defineScripts(client)
    await use({
      client,
      open({ skewMs = 0 } = {}) {
        const told: string[] = []
        const wake = async (ids: readonly string[]) => void told.push(...ids)
        const quotas = createQuotas({ scripts, keys, wake, now: () => Date.now() + skewMs })
        const store = createBudgetStore({ redis: client, keys, quotas })
        return {
          ...store,
          woken: () => told.splice(0),
          async runs(id, fence) {
            const before = Number(await client.hget(keys.task(id), 'fence'))
            if (fence > before) await client.hset(keys.task(id), { fence, state: 'running' })
          },
        }
      },
    })
  },
})

const DAY = budget({ limitMicroUsd: 1_000 })

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

describe('a window', () => {
  test('that turns begins anew, with what is held by those that run', async ({ store, redis: { keys } }) => {
    const { hold, settle, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 300 })
    await settle('a', 300)
    await hold('b', { wantMicroUsd: 200 })
    await turn(store.client, keys.budgets, DAY, -86_400_000)

    expect(await state()).toMatchObject({ spentMicroUsd: 0, reservedMicroUsd: 200 })
    await settle('b', 30)
    expect(await state()).toMatchObject({ spentMicroUsd: 30, reservedMicroUsd: 0 })
  })

  test.for([-300_000, 300_000, -86_400_000 * 40, 86_400_000 * 40])(
    'is that of the clock of Redis, whatever the process thinks: %i ms off',
    async (skewMs, { store }) => {
      const straight = asking(store.open())
      const skewed = asking(store.open({ skewMs }))
      const budgets = (['hour', 'day', 'month', 'once'] as const).map((per) =>
        budget({ per, limitMicroUsd: 100 }),
      )
      await straight.hold('a', { wantMicroUsd: 100, budgets })
      await straight.settle('a', 100, budgets)

      expect((await skewed.hold('b', { wantMicroUsd: 1, budgets })).answer.status).toBe('refused')
      for (const one of budgets) expect(await skewed.state(one)).toEqual(await straight.state(one))
      expect((await straight.state(budgets[3])).resetAt).toBeNull()
    },
  )

  test('once passed does not come back: a clock is put back, a time zone changes', async ({
    store,
    redis: { keys },
  }) => {
    const { hold, settle, state } = asking(store.open())
    await hold('a', { wantMicroUsd: 100 })
    await settle('a', 100)
    await turn(store.client, keys.budgets, DAY, 3_600_000)

    expect(await state()).toMatchObject({ spentMicroUsd: 100 })
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

type Asked = Partial<HoldRequest> & {
  budgets?: readonly Budget[]
  spentMicroUsd?: number
  counts?: readonly BudgetShare[]
}

function asking(store: OpenStore) {
  const request = (
    taskID: string,
    { budgets = [DAY], spentMicroUsd = 0, counts = [], ...more }: Asked,
  ): HoldRequest => ({
    ...{ taskID, fence: 1, wantMicroUsd: 100, leastMicroUsd: 0 },
    shares: [...budgets.map((budget) => ({ budget, spentMicroUsd, holds: true })), ...counts],
    ...more,
  })
  return {
    async hold(id: string, more: Asked, order = 1, leaveAt?: number) {
      await store.runs(id, more.fence ?? 1)
      store.woken()
      const answer = await store.hold(request(id, more), order, () => leaveAt)
      return { answer, woken: store.woken() }
    },
    topUp: (id: string, more: Asked) => store.topUp(request(id, more)),
    async adopt(id: string, more: Asked) {
      await store.runs(id, more.fence ?? 1)
      return store.adopt(request(id, more))
    },
    /** Gives the tasks that are told to try by it. */
    async settle(
      id: string,
      spentMicroUsd: number,
      budgets: readonly Budget[] = [DAY],
      { fence = 1, wantMicroUsd = 100, isOver = false } = {},
    ) {
      store.woken()
      const what = request(id, { spentMicroUsd, budgets, fence, wantMicroUsd })
      await (isOver ? store.end(what) : store.settle(what))
      return store.woken()
    },
    async look(budgets: readonly Budget[] = [DAY]) {
      store.woken()
      await store.look(budgets)
      return store.woken()
    },
    state: async (of: Budget = DAY) => (await store.read([of]))[0]!,
  }
}

/** As if the window of a budget had begun at another time. */
async function turn(redis: RedisClient, key: string, of: Budget, byMs: number): Promise<void> {
  const name = `${of.scope} per ${of.per}`
  const [window, ...rest] = (await redis.hget(key, name))!.split(' ')
  await redis.hset(key, name, [Number(window) + byMs, ...rest].join(' '))
}

function over(taskID: string, fence: number, spentMicroUsd: number) {
  return { taskID, fence, wantMicroUsd: 0, shares: [{ budget: DAY, spentMicroUsd, holds: true }] }
}
