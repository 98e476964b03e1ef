import { describe, expect } from 'vitest'
import type { TaskInput } from '../../src/tasks/input.ts'
import { budget } from '../budget/budget.ts'
import { finished, itemsOf, run, test, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'
import { states, THOUSAND, working } from './budgets-test.ts'

describe('downgrade', () => {
  const PERCENT = budget({ limitMicroUsd: 10_000, onExceed: 'downgrade', downgradeAtPercent: 50 })
  const COSTLY: TaskInput = { type: 'analysis', prompt: '@usage:1000,0 @say: Done', maxCostUsd: 0.005 }

  test('takes the next cheaper tier from its percentage on, and says so', async ({ core }) => {
    const orchestrator = await working(core, [PERCENT])
    expect(await run(orchestrator, COSTLY)).toMatchObject({ tier: 'powerful', costMicroUsd: 5_000 })

    const task = await run(orchestrator, COSTLY)

    expect(task).toMatchObject({
      state: 'succeeded',
      tier: 'fast',
      queue: 'fast',
      model: 'acme/nano',
      attempt: 1,
    })
    expect(task.route.requested).toEqual({ type: 'analysis' })
    expect(task.route.steps).toContainEqual({
      step: 'budget',
      input: 'global per day',
      outcome: 'tier fast: global per day: $0.005000 of $0.01 spent, $0.00 held',
    })
  })

  test('moves a task that waited in the queue of the dearer one', async ({ core }) => {
    core.config.swap({ budgets: [PERCENT] })
    const orchestrator = await core.start()
    const tasks = await Promise.all([COSTLY, COSTLY].map((task) => orchestrator.tasks.submit(task)))
    expect(tasks.map(({ queue }) => queue)).toEqual(['powerful', 'powerful'])
    const only = await orchestrator.startWorker({ tiers: ['powerful'], concurrency: 1 })
    await eventually(async () => expect((await states(orchestrator))[0]!.spentMicroUsd).toBe(5_000))
    const moved = await eventually(async () => {
      const found = await Promise.all(tasks.map(({ id }) => orchestrator.tasks.get(id)))
      const waiting = found.find(({ queue }) => queue === 'fast')
      expect(waiting).toMatchObject({ state: 'waiting', tier: 'fast', model: 'acme/nano', attempt: 0 })
      return waiting!
    })
    await only.close()

    await orchestrator.startWorker()
    expect(await finished(orchestrator, moved.id)).toMatchObject({ state: 'succeeded', model: 'acme/nano' })
    const items = await itemsOf(orchestrator, moved.id)
    expect(typesOf(items).filter((type) => type === 'task-routed')).toHaveLength(2)
    expect(items).toContainEqual(
      expect.objectContaining({
        type: 'model-changed',
        from: 'acme/big',
        to: 'acme/nano',
        reason: expect.stringContaining('global per day'),
      }),
    )
    // And back to where it was asked for, once there is money again.
    core.config.swap({ budgets: [] })
    await orchestrator.tasks.retry(moved.id)
    expect(await finished(orchestrator, moved.id)).toMatchObject({ state: 'succeeded', tier: 'powerful' })
  })

  test('leaves a tier whose own budget is spent, and only that', async ({ core }) => {
    const own = budget({ scope: 'tier:powerful', limitMicroUsd: 1_000, onExceed: 'downgrade' })
    const orchestrator = await working(core, [own])
    await run(orchestrator, { ...COSTLY, prompt: '@usage:200,0 @say: Done' })

    expect(await run(orchestrator, COSTLY)).toMatchObject({ state: 'succeeded', tier: 'fast' })
    expect(await states(orchestrator)).toMatchObject([{ spentMicroUsd: 1_000 }])
  })

  test('refuses where no tier is cheaper, or the task named its model', async ({ core }) => {
    const orchestrator = await working(core, [{ ...PERCENT, limitMicroUsd: 1_000 }])
    await run(orchestrator, THOUSAND)

    for (const task of [{ type: 'lint', prompt: 'Hello' }, { type: 'analysis', prompt: 'Hello' }, THOUSAND])
      await expect(orchestrator.tasks.submit(task)).rejects.toMatchObject({ code: 'budget_exceeded' })
  })

  test('goes on in the cheapest tier until all is spent', async ({ core }) => {
    const orchestrator = await working(core, [{ ...PERCENT, limitMicroUsd: 2_000 }])
    await run(orchestrator, THOUSAND)

    expect(await run(orchestrator, { tier: 'fast', prompt: 'Hello' })).toMatchObject({
      state: 'succeeded',
      tier: 'fast',
    })
  })
})
