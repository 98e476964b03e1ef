/** `test` with budget stores, and how tests ask them. */
import { type BudgetStore, createBudgetStore, type HoldRequest } from '../../src/budget/budget-store.ts'
import type { BudgetShare } from '../../src/budget/budgets-of.ts'
import type { RedisClient } from '../../src/redis/connect.ts'
import { createQuotas } from '../../src/redis/quotas.ts'
import { scriptsOn } from '../../src/redis/scripts.ts'
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

export const test = base.extend<{ store: StoreFixture }>({
  store: async ({ redis: { keys, connect } }, use) => {
    const client = await connect('fail')
    const scripts = scriptsOn(client)
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

export const DAY = budget({ limitMicroUsd: 1_000 })

type Asked = Partial<HoldRequest> & {
  budgets?: readonly Budget[]
  spentMicroUsd?: number
  counts?: readonly BudgetShare[]
}

export function asking(store: OpenStore) {
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

/** What a task that is over tells the store. */
export function over(taskID: string, fence: number, spentMicroUsd: number) {
  return { taskID, fence, wantMicroUsd: 0, shares: [{ budget: DAY, spentMicroUsd, holds: true }] }
}
