import { describe, expect } from 'vitest'
import type { RouteRule } from '../../src/routing/table.ts'
import { budget } from '../budget/budget.ts'
import { finished, run, test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'
import { states, THOUSAND, working } from './budgets-test.ts'

describe('maxCostUsd', () => {
  test('stops a task within one step, and says what it has cost', async ({ core }) => {
    const orchestrator = await core.startWorking()
    const step = '@usage:10000,0\n@tool bash {"command":"ls"}\n'

    const task = await run(orchestrator, {
      model: 'acme/nano',
      prompt: `${step.repeat(3)}@hold:never @say: Done`,
      maxCostUsd: 0.002,
    })

    expect(task).toMatchObject({
      state: 'failed',
      error: {
        code: 'budget_exceeded',
        message: 'Cannot go on with the turn: it has cost $0.002000, and its maxCostUsd is $0.002000',
        retryable: false,
      },
    })
    expect(task.costMicroUsd).toBeGreaterThanOrEqual(2_000)
    expect(task.costMicroUsd).toBeLessThanOrEqual(3_000)
    expect(core.backend.aborts).toHaveLength(1)
  })

  test('of its route holds where it names none, and counts over all messages', async ({ core }) => {
    const rule: RouteRule = { tier: 'fast', model: null, timeoutMs: null, maxCostMicroUsd: 1_000 }
    core.config.swap({ routes: new Map([['lint', rule]]) })
    const orchestrator = await core.startWorking()
    const messages = [1, 2, 3].map(() => ({ text: '@usage:6000,0 @say: Done' }))

    const task = await run(orchestrator, { type: 'lint', messages })
    expect(task).toMatchObject({ state: 'failed', costMicroUsd: 1_200, error: { code: 'budget_exceeded' } })
    expect(core.backend.turns).toHaveLength(2)
    expect(await run(orchestrator, { type: 'lint', messages, maxCostUsd: 1 })).toMatchObject({
      state: 'succeeded',
    })
  })

  test('is there once more for a task that is retried', async ({ core }) => {
    const orchestrator = await core.startWorking()
    const task = await run(orchestrator, THOUSAND)
    await orchestrator.tasks.retry(task.id)

    expect(await finished(orchestrator, task.id)).toMatchObject({ state: 'succeeded', costMicroUsd: 2_000 })
  })

  test('is there once more also where all that was spent is of a turn that was cut off', async ({
    core,
    redis: { keys },
  }) => {
    const orchestrator = await core.startWorking()
    const { id } = await orchestrator.tasks.submit({ ...THOUSAND, delayMs: 3_600_000 })
    // As it is left by a task that is cancelled between two runs.
    await core.redis.hset(keys.task(id), 'turnSpent', '[["acme/nano",10000,0,0,0,0,1000,0]]')
    await orchestrator.tasks.cancel(id)
    await orchestrator.tasks.retry(id)

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded', costMicroUsd: 2_000 })
  })

  test('costs a task nothing in Redis', async ({ core, redis: { keys } }) => {
    const orchestrator = await core.startWorking()
    await run(orchestrator, THOUSAND)

    expect(await core.redis.exists(keys.budgets, keys.holds)).toBe(0)
  })

  test.for([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1'])(
    'is refused when it is %s',
    async (maxCostUsd, { core }) => {
      const orchestrator = await core.start()
      await expect(orchestrator.tasks.submit({ prompt: 'Hello', maxCostUsd } as never)).rejects.toMatchObject(
        {
          code: 'invalid_input',
          errors: [{ field: 'maxCostUsd' }],
        },
      )
    },
  )
})

describe('a running task', () => {
  const steps = (count: number) => '@usage:10000,0\n@tool bash {"command":"ls"}\n'.repeat(count)

  test('whose budget runs out is stopped within one step', async ({ core }) => {
    const orchestrator = await working(core, [budget({ limitMicroUsd: 2_500 })])

    const task = await run(orchestrator, { model: 'acme/nano', prompt: `${steps(3)}@hold:never @say: Done` })

    expect(task).toMatchObject({
      state: 'failed',
      error: {
        code: 'budget_exceeded',
        budget: { scope: 'global', spentMicroUsd: 3_000 },
        model: 'acme/nano',
      },
    })
    const [state] = await states(orchestrator)
    const { costMicroUsd, costEstimatedMicroUsd } = task
    expect(state).toMatchObject({ spentMicroUsd: costMicroUsd + costEstimatedMicroUsd, reservedMicroUsd: 0 })
    expect(state!.spentMicroUsd).toBeLessThanOrEqual(4_000)
  })

  test('keeps what it holds while it waits for a child, which holds for itself', async ({ core }) => {
    const orchestrator = await working(core, [budget({ limitMicroUsd: 1_000_000 })])
    const parent = await orchestrator.tasks.submit({
      ...THOUSAND,
      prompt: '@hold:parent @usage:10000,0 @say: Done',
    })
    await core.backend.holds.held('parent')
    await run(orchestrator, { ...THOUSAND, parentTaskID: parent.id })

    expect(await states(orchestrator)).toMatchObject([{ spentMicroUsd: 1_000, reservedMicroUsd: 1_000 }])
    core.backend.holds.release('parent')
    await finished(orchestrator, parent.id)
    expect(await states(orchestrator)).toMatchObject([{ spentMicroUsd: 2_000, reservedMicroUsd: 0 }])
  })

  test('keeps what it holds when it is handed over, and its successor settles once', async ({ core }) => {
    core.config.swap({ budgets: [budget({ limitMicroUsd: 1_000_000 })] })
    const orchestrator = await core.start()
    const worker = await orchestrator.startWorker()
    const { id } = await orchestrator.tasks.submit({
      ...THOUSAND,
      prompt: '@hold:here @usage:10000,0 @say: Done',
    })
    await core.backend.holds.held('here')
    await worker.close()
    expect(await states(orchestrator)).toMatchObject([{ spentMicroUsd: 0, reservedMicroUsd: 1_000 }])

    await orchestrator.startWorker()
    core.backend.holds.release('here')
    await finished(orchestrator, id)
    expect(await states(orchestrator)).toMatchObject([{ spentMicroUsd: 1_000, reservedMicroUsd: 0 }])
  })

  test('lets go while it waits for its next try', async ({ core }) => {
    const orchestrator = await working(core, [budget({ limitMicroUsd: 1_000_000 })], {
      ...{ maxTries: 2, backoffMs: 30_000, maxBackoffMs: 30_000 },
      ...{ maxRetryAfterMs: 60_000, cooldownMs: 0, maxCooldownMs: 0 },
    })
    const { id } = await orchestrator.tasks.submit({
      ...THOUSAND,
      prompt: '@status:503,9 @say: Done',
      timeoutMs: 86_400_000,
    })
    await eventually(async () => expect(await orchestrator.tasks.get(id)).toMatchObject({ state: 'delayed' }))

    expect(await states(orchestrator)).toMatchObject([{ reservedMicroUsd: 0 }])
    await orchestrator.tasks.cancel(id)
  })

  test('that goes on with the next model asks the budgets of that one before it sends anything', async ({
    core,
  }) => {
    const orchestrator = await working(core, [budget({ scope: 'model:acme/mini', limitMicroUsd: 1_000 })])
    await run(orchestrator, { ...THOUSAND, model: 'acme/mini', maxCostUsd: 1 })
    expect((await states(orchestrator))[0]!.spentMicroUsd).toBeGreaterThanOrEqual(1_000)
    const sent = core.backend.turns.length

    const task = await run(orchestrator, { tier: 'fast', prompt: '@status:503 @on:acme/nano' })

    expect(task).toMatchObject({ state: 'failed', error: { code: 'budget_exceeded', model: 'acme/mini' } })
    expect(core.backend.turns.slice(sent).map(({ model }) => model)).toEqual(['acme/nano'])
  })
})
