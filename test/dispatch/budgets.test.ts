import { describe, expect } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import type { Budget, RouteRule } from '../../src/routing/table.ts'
import type { TaskInput } from '../../src/tasks/input.ts'
import { budget } from '../budget/budget.ts'
import { type CoreFixture, finished, itemsOf, run, test, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

/** 1000 micro-USD by the price of acme/nano: 10,000 tokens of input. */
const THOUSAND: TaskInput = { model: 'acme/nano', prompt: '@usage:10000,0 @say: Done', maxCostUsd: 0.001 }

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
    const [window, ...rest] = (await core.redis.hget(keys.budgets, 'global per day'))!.split(' ')
    await core.redis.hset(keys.budgets, 'global per day', [Number(window) - 86_400_000, ...rest].join(' '))
    await run(orchestrator, { ...THOUSAND, prompt: '@usage:1000,0 @say: Done' })
    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
    expect(await states(orchestrator)).toMatchObject([{ spentMicroUsd: 1_100 }])
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
})

async function working(
  { config, startWorking }: CoreFixture,
  budgets: readonly Budget[],
  retry?: never | object,
) {
  config.swap({ budgets })
  return startWorking(retry === undefined ? {} : ({ retry } as never))
}

function states({ money }: Orchestrator) {
  return money.budgets()
}
