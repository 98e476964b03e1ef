/** Processes and Redis are killed while tasks spend: the bill, the ledger and every budget say the same afterwards. */
import { tmpdir } from 'node:os'
import { describe, expect, vi } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { COST_GROUPS } from '../../src/tasks/costs.ts'
import { createTestValkey, type TestValkey } from '../redis/test-valkey.ts'
import { test as base, finished } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'
import { budgeted, ROOM, SCOPES, STEP_COST, STEPS, TURN_COST } from './budgeted-table.ts'
import { type BudgetedWorkers, createBudgetedWorkers } from './budgeted-workers.ts'

const TASKS = 200
const TIMEOUT = { timeout: 180_000 }

const test = base.extend<{
  /** A Redis of its own, which keeps what it acknowledged. */
  valkey: TestValkey
  /** At the Redis of this run. */
  workers: BudgetedWorkers
  /** At `valkey`. */
  workersThere: BudgetedWorkers
}>({
  valkey: async ({}, use) => {
    const valkey = await createTestValkey(tmpdir(), 'everysec')
    await valkey.start()
    await use(valkey)
    await valkey.close()
  },
  workers: async ({ redis: { url, namespace } }, use) => {
    const workers = createBudgetedWorkers(url, namespace)
    await use(workers)
    await workers.close()
  },
  workersThere: async ({ valkey, redis: { namespace } }, use) => {
    const workers = createBudgetedWorkers(valkey.url, namespace)
    await use(workers)
    await workers.close()
  },
})

describe('200 tasks at once against room for ten in every scope: ten are paid for', () => {
  test('with workers killed in between', TIMEOUT, async ({ core, workers }) => {
    core.config.swap(budgeted(ROOM))
    const orchestrator = await core.start()
    await orchestrator.startMaintaining()
    const ids = await acceptMany(orchestrator, TURN_COST)
    await Promise.all([workers.start(ROOM), workers.start(ROOM), workers.start(ROOM)])
    for (let kills = 0; kills < 2; kills++) {
      await moreBilled(workers)
      await workers.killOne()
    }

    await expectTenPaid(orchestrator, ids, workers)
  })

  // Each holds twice what it costs, so there is something to let go at every end.
  test(
    'with Redis killed in between too, twice, and nothing is full for the one that room is made for',
    TIMEOUT,
    async ({ core, redis: { namespace }, valkey, workersThere }) => {
      core.config.swap(budgeted(ROOM))
      const orchestrator = await core.start({ redisUrl: valkey.url, namespace })
      await orchestrator.startMaintaining()
      const ids = await acceptMany(orchestrator, 2 * TURN_COST)
      await Promise.all([1, 2, 3, 4].map(() => workersThere.start(ROOM)))
      for (let kills = 0; kills < 2; kills++) {
        await moreBilled(workersThere)
        await valkey.kill()
        await workersThere.killOne()
        await valkey.start()
        await eventually(() => orchestrator.money.budgets())
      }

      await expectTenPaid(orchestrator, ids, workersThere)

      await workersThere.killAll()
      core.config.swap(budgeted(ROOM + 1))
      const one = await eventually(() => accept(orchestrator, TURN_COST))
      await workersThere.start(ROOM + 1)
      expect(await finished(orchestrator, one)).toMatchObject({ state: 'succeeded', costMicroUsd: TURN_COST })
      await expect(accept(orchestrator, TURN_COST)).rejects.toMatchObject({ code: 'budget_exceeded' })
      await expectAgreed(orchestrator, ROOM + 1, workersThere)
    },
  )
})

async function accept(orchestrator: Orchestrator, maxCostMicroUsd: number): Promise<string> {
  const input = { type: 'lint', prompt: 'Hello', maxCostUsd: maxCostMicroUsd / 1_000_000 }
  return (await orchestrator.tasks.accept(input, 'ci')).task.id
}

function acceptMany(orchestrator: Orchestrator, maxCostMicroUsd: number): Promise<string[]> {
  return Promise.all(Array.from({ length: TASKS }, () => accept(orchestrator, maxCostMicroUsd)))
}

/** Until a step begins, unless all that there is room for have. What was killed may have to be noticed first. */
async function moreBilled(workers: BudgetedWorkers): Promise<void> {
  const before = Math.min(workers.bill().length, STEPS * ROOM - 1)
  await vi.waitFor(() => expect(workers.bill().length).toBeGreaterThan(before), {
    timeout: 90_000,
    interval: 20,
  })
}

async function expectTenPaid(
  orchestrator: Orchestrator,
  ids: readonly string[],
  workers: BudgetedWorkers,
): Promise<void> {
  const ends = await Promise.all(ids.map((id) => finished(orchestrator, id)))
  expect(ends.filter(({ state }) => state === 'succeeded')).toHaveLength(ROOM)
  const codes = new Set(ends.flatMap(({ error }) => (error === null ? [] : [error.code])))
  expect([...codes]).toEqual(['budget_exceeded'])
  await expectAgreed(orchestrator, ROOM, workers)
}

/** That the bill, the ledger by every group and every budget tell of as many turns, and that nothing is held. */
async function expectAgreed({ money }: Orchestrator, turns: number, workers: BudgetedWorkers): Promise<void> {
  expect(workers.bill()).toEqual(Array(STEPS * turns).fill(STEP_COST))
  for (const groupBy of COST_GROUPS) {
    const { total } = await money.costs({ groupBy })
    expect(total).toMatchObject({ costMicroUsd: turns * TURN_COST, costEstimatedMicroUsd: 0 })
  }
  await eventually(async () => {
    const budgets = await money.budgets()
    expect(budgets.map((one) => [one.scope, one.spentMicroUsd, one.reservedMicroUsd])).toEqual(
      SCOPES.map((scope) => [scope, turns * TURN_COST, 0]),
    )
  })
}
