import { expect } from 'vitest'
import { createBudgetStore, settleAsk } from '../../src/budget/budget-store.ts'
import { createLimiter, left } from '../../src/limits/limiter.ts'
import { createRecordStore, type LetGo } from '../../src/records/record-store.ts'
import type { TaskRecord } from '../../src/records/task-record.ts'
import type { RedisClient } from '../../src/redis/connect.ts'
import type { Keys } from '../../src/redis/keys.ts'
import { createQuotas } from '../../src/redis/quotas.ts'
import { scriptsOn } from '../../src/redis/scripts.ts'
import { budget } from '../budget/budget.ts'
import { finished, LIMITS, test, writeOf } from './records-test.ts'

const DAY = budget({ limitMicroUsd: 1_000 })
const BIG = 'model:acme/big'
const ONE_AT_A_TIME = { concurrency: 1, requestsPerMinute: null, tokensPerMinute: null }

test('the last write of a task lets go of its slot and its money, and names who may try now', async ({
  records: { redis, create, claimed },
  redis: { keys },
}) => {
  const { store, enter, hold, state, remembered } = await open(redis, keys)
  const [first, second, third] = [await claimed(await create()), await claimed(await create()), 'tsk_third']
  expect(await enter(first.id)).toBe('open')
  expect(await enter(third)).toBe('shut')
  expect(await hold(first, 1_000)).toBe('held')
  expect(await hold(second, 500)).toBe('refused')

  const last = writeOf(first, { events: [finished], to: 'succeeded', letGo: letGoOf(first, 40) })

  expect(await store.write(last)).toMatchObject({ status: 'written', next: [third, second.id] })
  expect(await state()).toMatchObject({ spentMicroUsd: 40, reservedMicroUsd: 0 })
  expect(await remembered()).toEqual([])
  // Sent again after a lost reply.
  expect(await store.write(last)).toMatchObject({ status: 'written', next: [] })
  expect(await state()).toMatchObject({ spentMicroUsd: 40 })
})

test('a write that is stale, or not the last one, lets go of nothing', async ({
  records: { redis, create, claimed },
  redis: { keys },
}) => {
  const { store, enter, hold, state } = await open(redis, keys)
  const zombie = await claimed(await create())
  const record = await claimed(zombie.id)
  await enter(record.id)
  await hold(record, 600)

  const stale = writeOf(zombie, { events: [finished], to: 'succeeded', letGo: letGoOf(zombie, 40) })
  expect(await store.write(stale)).toEqual({ status: 'stale' })
  await store.write(writeOf(record, { to: 'waiting', letGo: letGoOf(record, 40) }))

  expect(await state()).toMatchObject({ spentMicroUsd: 0, reservedMicroUsd: 600 })
  expect(await enter('tsk_other')).toBe('shut')
})

test('a worker whose clock is off by more than a window lets go all the same', async ({
  records: { redis, create, claimed },
  redis: { keys },
}) => {
  const { hold, state, remembered } = await open(redis, keys)
  const record = await claimed(await create())
  await hold(record, 600)
  const { store } = await open(redis, keys, 400 * 24 * 60 * 60_000)

  const last = writeOf(record, { events: [finished], to: 'succeeded', letGo: letGoOf(record, 40) })
  expect(await store.write(last)).toMatchObject({ status: 'written' })

  expect(await state()).toMatchObject({ spentMicroUsd: 40, reservedMicroUsd: 0 })
  expect(await remembered()).toEqual([])
})

/** `skewMs`: how far the clock of this process is ahead. */
async function open(redis: RedisClient, keys: Keys, skewMs = 0) {
  const scripts = scriptsOn(redis)
  const quotas = createQuotas({ scripts, keys, wake: async () => {}, now: () => Date.now() + skewMs })
  const limiter = createLimiter({ redis, scripts, keys, quotas })
  const budgets = createBudgetStore({ redis, keys, quotas })
  if (skewMs === 0) await limiter.change(new Map([[BIG, ONE_AT_A_TIME]]))
  const turn = { key: null, depth: 1, limits: [BIG], cost: { requests: 1, tokens: 1 }, how: 'start' } as const
  return {
    store: createRecordStore({ ...LIMITS, redis, scripts, keys, quotas }),
    enter: async (taskID: string) => (await limiter.enter({ ...turn, taskID })).status,
    async hold({ id, fence }: TaskRecord, wantMicroUsd: number) {
      const want = { taskID: id, fence, wantMicroUsd, leastMicroUsd: 0 }
      return (await budgets.hold({ ...want, shares: sharesOf(0) }, 1, () => undefined)).status
    },
    state: async () => (await budgets.read([DAY]))[0],
    remembered: () => redis.hkeys(keys.holds),
  }
}

function letGoOf({ id, fence }: TaskRecord, spentMicroUsd: number): LetGo {
  const money = settleAsk('end', { fence, wantMicroUsd: 500, shares: sharesOf(spentMicroUsd) })
  return { task: id, limits: left([BIG], { requests: 1, tokens: 1 }), money }
}

function sharesOf(spentMicroUsd: number) {
  return [{ budget: DAY, spentMicroUsd, holds: true }]
}
