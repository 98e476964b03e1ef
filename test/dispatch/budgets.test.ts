import { describe, expect } from 'vitest'
import type { TaskInput } from '../../src/tasks/input.ts'
import { budget } from '../budget/budget.ts'
import { turnWindow } from '../budget/turn-window.ts'
import { finished, itemsOf, run, test, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'
import { states, THOUSAND, working } from './budgets-test.ts'

describe('a budget', () => {
  test('pays for each task, and refuses what comes when it is spent; nothing is queued', async ({ core }) => {
    const orchestrator = await working(core, [budget({ limitMicroUsd: 2_000 })])
    for (const spent of [1_000, 2_000]) {
      expect(await run(orchestrator, THOUSAND)).toMatchObject({ state: 'succeeded', costMicroUsd: 1_000 })
      expect(await states(orchestrator)).toMatchObject([{ spentMicroUsd: spent, reservedMicroUsd: 0 }])
    }

    await expect(orchestrator.tasks.submit(THOUSAND)).rejects.toMatchObject({
      code: 'budget_exceeded',
      message: expect.stringMatching(
        /^Cannot accept the task: global per day: \$0\.002000 of \$0\.002000 spent; it begins anew at /,
      ),
      budget: {
        scope: 'global',
        per: 'day',
        limitMicroUsd: 2_000,
        spentMicroUsd: 2_000,
        reservedMicroUsd: 0,
      },
    })
    expect((await orchestrator.tasks.list({ limit: 10 } as never)).data).toHaveLength(2)
  })

  test('lets tasks wait for what others hold, without a slot, and wakes them', async ({ core }) => {
    const orchestrator = await working(core, [budget({ limitMicroUsd: 2_000 })])
    const held = { ...THOUSAND, prompt: '@hold:here @usage:1000,0 @say: Done' }
    const first = await Promise.all([orchestrator.tasks.submit(held), orchestrator.tasks.submit(held)])
    await eventually(async () => expect((await states(orchestrator))[0]!.reservedMicroUsd).toBe(2_000))

    const { id } = await orchestrator.tasks.submit(THOUSAND)
    await eventually(async () =>
      expect(await orchestrator.tasks.get(id)).toMatchObject({
        ...{ state: 'waiting', attempt: 0, startedAt: null },
        waitingFor: {
          reason: 'budget',
          detail: 'global per day: $0.00 of $0.002000 spent, $0.002000 held',
          until: null,
        },
      }),
    )
    await core.backend.holds.held('here')
    core.backend.holds.release('here')

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded', waitingFor: null })
    await Promise.all(first.map((task) => finished(orchestrator, task.id)))
    expect(typesOf(await itemsOf(orchestrator, id))).toEqual(
      expect.arrayContaining(['task-parked', 'task-resumed']),
    )
    expect(await states(orchestrator)).toMatchObject([{ spentMicroUsd: 1_200, reservedMicroUsd: 0 }])
  })

  test('ends a task that was accepted before it was spent', async ({ core }) => {
    const orchestrator = await core.start()
    core.config.swap({ budgets: [budget({ limitMicroUsd: 1_000 })] })
    const tasks = await Promise.all([1, 2, 3].map(() => orchestrator.tasks.submit(THOUSAND)))
    await orchestrator.startWorker()

    const ends = await Promise.all(tasks.map(({ id }) => finished(orchestrator, id)))

    const refused = ends.filter(({ state }) => state === 'failed')
    expect(refused).toHaveLength(2)
    expect(refused[0]).toMatchObject({
      ...{ costMicroUsd: 0, attempt: 0, startedAt: null, sessionID: null, waitingFor: null },
      error: { code: 'budget_exceeded', retryable: true, budget: { scope: 'global', spentMicroUsd: 1_000 } },
    })
    expect(typesOf(await itemsOf(orchestrator, refused[0]!.id)).at(-2)).toBe('task-finished')
    expect(core.backend.turns).toHaveLength(1)
  })

  test('that says queue lets them wait until its window turns', async ({ core, redis: { keys } }) => {
    const daily = budget({ limitMicroUsd: 2_000, onExceed: 'queue' })
    const orchestrator = await working(core, [daily])
    await run(orchestrator, THOUSAND)
    await run(orchestrator, THOUSAND)
    const { resetAt } = (await states(orchestrator))[0]!

    const { id } = await orchestrator.tasks.submit(THOUSAND)
    await eventually(async () =>
      expect((await orchestrator.tasks.get(id)).waitingFor).toMatchObject({
        reason: 'budget',
        until: resetAt,
      }),
    )

    // As if a day had passed since: the next that comes finds a window that has turned, and wakes the other.
    await turnWindow(core.redis, keys.budgets, 'global per day', -86_400_000)
    await run(orchestrator, { ...THOUSAND, prompt: '@usage:1000,0 @say: Done' })
    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
    expect(await states(orchestrator)).toMatchObject([{ spentMicroUsd: 1_100 }])
  })

  test('that is raised wakes who waits for its window', async ({ core }) => {
    const hourly = budget({ limitMicroUsd: 1_000, onExceed: 'queue' })
    const orchestrator = await working(core, [hourly])
    await run(orchestrator, THOUSAND)
    const { id } = await orchestrator.tasks.submit(THOUSAND)
    await eventually(async () =>
      expect((await orchestrator.tasks.get(id)).waitingFor).toMatchObject({ reason: 'budget' }),
    )

    core.config.swap({ budgets: [{ ...hourly, limitMicroUsd: 2_000 }] })
    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
  })

  test('is asked by all scopes together, and each counts', async ({ core }) => {
    const scopes = [
      'global',
      'type:lint',
      'tier:fast',
      'provider:acme',
      'model:acme/nano',
      'key:ci',
      'type:analysis',
      'provider:globex',
    ]
    const budgets = scopes.map((scope) => budget({ scope, limitMicroUsd: 1_000_000 }))
    const orchestrator = await working(core, budgets)

    const { task } = await orchestrator.tasks.accept(
      { type: 'lint', prompt: '@usage:10000,0 @say: Done' },
      'ci',
    )
    await finished(orchestrator, task.id)

    expect((await states(orchestrator)).map(({ spentMicroUsd }) => spentMicroUsd)).toEqual([
      ...Array(6).fill(1_000),
      ...Array(2).fill(0),
    ])
  })

  test.for(['type:lint', 'tier:fast', 'provider:acme', 'model:acme/nano', 'key:ci'])(
    'of one scope refuses its own, and nobody else: %s',
    async (scope, { core }) => {
      const orchestrator = await working(core, [budget({ scope, limitMicroUsd: 0 })])

      await expect(orchestrator.tasks.accept({ type: 'lint', prompt: 'Hello' }, 'ci')).rejects.toMatchObject({
        code: 'budget_exceeded',
        budget: { scope },
      })
      const { task } = await orchestrator.tasks.accept({ model: 'globex/deep', prompt: 'Hello' }, 'other')
      expect(await finished(orchestrator, task.id)).toMatchObject({ state: 'succeeded' })
    },
  )

  test('counts what failed too, and every try', async ({ core }) => {
    const orchestrator = await working(core, [budget({ limitMicroUsd: 1_000_000 })])

    const task = await run(orchestrator, {
      model: 'acme/nano',
      messages: [{ text: '@usage:10000,0 @say: One' }, { text: '@status:400' }],
    })

    expect(task).toMatchObject({ state: 'failed', costMicroUsd: 1_000 })
    expect(await states(orchestrator)).toMatchObject([{ spentMicroUsd: 1_000, reservedMicroUsd: 0 }])
  })

  test('holds nothing for a comparison, whose tasks hold for themselves', async ({ core }) => {
    const orchestrator = await working(core, [budget({ limitMicroUsd: 1_000_000 })])

    const { id } = await orchestrator.tasks.compare({
      prompt: '@usage:10000,0 @say: Done',
      models: ['acme/nano', 'acme/mini'],
    })
    await finished(orchestrator, id)

    expect(await states(orchestrator)).toMatchObject([{ spentMicroUsd: 4_000, reservedMicroUsd: 0 }])
  })

  test('is not asked by a task of a model that is known to be free', async ({ core, redis: { keys } }) => {
    const free = {
      inputMicroUsdPerMTok: 0,
      outputMicroUsdPerMTok: 0,
      cacheReadMicroUsdPerMTok: 0,
      cacheWriteMicroUsdPerMTok: 0,
    }
    core.config.swap({ prices: new Map([['globex/unpriced', free]]) })
    const orchestrator = await working(core, [budget({ limitMicroUsd: 0 })])

    expect(await run(orchestrator, { model: 'globex/unpriced', prompt: 'Hello' })).toMatchObject({
      state: 'succeeded',
    })
    expect(await core.redis.exists(keys.holds)).toBe(0)
  })

  test('refuses a model without a price, unless it says otherwise', async ({ core }) => {
    const orchestrator = await working(core, [budget()])
    const task: TaskInput = { model: 'globex/unpriced', prompt: 'Hello' }

    await expect(orchestrator.tasks.submit(task)).rejects.toMatchObject({
      code: 'unknown_price',
      message: expect.stringContaining('the budget "global per day"'),
    })
    await expect(
      orchestrator.tasks.submit({
        model: 'acme/nano',
        messages: [{ text: 'One' }, { text: 'Two', model: 'globex/unpriced' }],
      }),
    ).rejects.toMatchObject({ code: 'unknown_price' })

    core.config.swap({ budgets: [budget({ onUnknownPrice: 'allow' })] })
    expect(await run(orchestrator, task)).toMatchObject({ state: 'succeeded' })
    await expect(orchestrator.tasks.submit({ ...task, maxCostUsd: 1 })).rejects.toMatchObject({
      code: 'unknown_price',
      message: expect.stringContaining('its maxCostUsd'),
    })
  })
})

describe('the budgets of a model and its provider', () => {
  test('pay what their own models cost, in one task', async ({ core }) => {
    const budgets = ['global', 'provider:acme', 'provider:globex'].map((scope) =>
      budget({ scope, limitMicroUsd: 1_000_000 }),
    )
    const orchestrator = await working(core, budgets)

    await run(orchestrator, {
      model: 'acme/nano',
      messages: [
        { text: '@usage:10000,0 @say: One' },
        { text: '@usage:10000,0 @say: Two', model: 'globex/fast' },
      ],
    })

    const all = await states(orchestrator)
    expect(all.map(({ spentMicroUsd }) => spentMicroUsd)).toEqual([3_000, 1_000, 2_000])
    expect(all.every(({ reservedMicroUsd }) => reservedMicroUsd === 0)).toBe(true)
  })
})
