/** Whatever becomes of tasks: what they say they spent is what the ledger has, and what the provider bills. */
import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { deliveryOf } from '../../src/operations/new-record.ts'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { createTaskQueues } from '../../src/queues/task-queues.ts'
import type { Keys } from '../../src/redis/keys.ts'
import type { TaskInput } from '../../src/tasks/input.ts'
import type { Task } from '../../src/tasks/task.ts'
import type { MemoryBackend } from '../doubles/memory-backend.ts'
import { claimOptions, MAX_DELIVERIES } from '../records/records-test.ts'
import { type CoreFixture, finished, run, test, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

describe('the ledger', () => {
  test('has what a task spent, and where', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, { type: 'lint', prompt: '@usage:1000,10,400' })
    const costs = await orchestrator.money.costs({})

    expect(task).toMatchObject({ costMicroUsd: billOf(backend), costEstimatedMicroUsd: 0 })
    expect(task.costMicroUsd).toBeGreaterThan(0)
    const line = {
      ...{ tasks: 1, succeeded: 1, costMicroUsd: billOf(backend), costEstimatedMicroUsd: 0 },
      usage: { ...NONE, inputTokens: 600, outputTokens: 10, cacheReadTokens: 400 },
    }
    expect(costs).toEqual({ groupBy: 'model', data: [{ group: 'acme/nano', ...line }], total: line })
    for (const [groupBy, group] of [
      ['tier', 'fast'],
      ['type', 'lint'],
      ['key', null],
      ['day', new Date(task.finishedAt!).toISOString().slice(0, 10)],
    ])
      expect((await orchestrator.money.costs({ groupBy })).data).toEqual([{ group, ...line }])
  })

  test('tells apart what each model of a task cost; the task counts under its own', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, {
      tier: 'fast',
      messages: [{ text: '@usage:1000,10' }, { text: '@usage:500,5', model: 'acme/big' }, { text: 'Last' }],
    })
    const { data, total } = await orchestrator.money.costs({})

    expect(data).toMatchObject([
      { group: 'acme/big', tasks: 0, costMicroUsd: 2_625 },
      { group: 'acme/nano', tasks: 1, succeeded: 1 },
    ])
    expect(total.costMicroUsd).toBe(billOf(backend))
    expect(task.costMicroUsd).toBe(billOf(backend))
  })

  test('has what a child was asked, in the message and in the task', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, { prompt: `${CHILD}\n@say: Done` })

    expect(backend.ledger.paid()).toHaveLength(4)
    expect(task.costMicroUsd).toBe(billOf(backend))
    expect(task.result!.messages[0]!.costMicroUsd).toBe(billOf(backend))
    await expectEqual(orchestrator, backend)
  })

  test('has a failed task, and what its tries may have cost apart', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, {
      model: 'acme/nano',
      prompt: '@say: One\n@tool bash {"command":"ls"}\n@words:40 @malformed',
    })
    const { data, total } = await orchestrator.money.costs({ groupBy: 'tier' })

    expect(task).toMatchObject({ state: 'failed', attempt: 3, costMicroUsd: billOf(backend) })
    expect(task.costEstimatedMicroUsd).toBeGreaterThan(0)
    expect(data).toMatchObject([{ group: 'fast', tasks: 1, succeeded: 0 }])
    expect(total).toMatchObject({
      costMicroUsd: billOf(backend),
      costEstimatedMicroUsd: task.costEstimatedMicroUsd,
    })
  })

  test('has a running task, as far as it has come', async ({ core: { startWorking, backend, log } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({
      prompt: '@usage:1000,10 @say: One\n@tool bash {"command":"ls"}\n@say: Two @hold:here',
    })
    await eventually(async () => expect(typesOf(await log(id)).at(-1)).toBe('text-delta'))

    expect((await orchestrator.tasks.get(id)).costMicroUsd).toBe(billOf(backend))
    expect((await orchestrator.money.costs({})).total).toMatchObject({
      costMicroUsd: billOf(backend),
      tasks: 0,
    })
    backend.holds.release('here')
    await finished(orchestrator, id)
    await expectEqual(orchestrator, backend)
  })

  test('estimates what was cut off by a cancel', async ({ core: { startWorking, backend, log } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ model: 'acme/big', prompt: '@words:200 @hold:here' })
    await eventually(async () => expect(typesOf(await log(id)).at(-1)).toBe('text-delta'))

    await orchestrator.tasks.cancel(id)
    const task = await finished(orchestrator, id)

    // 200 words of some six characters, 25 USD for a million tokens.
    expect(task.costEstimatedMicroUsd).toBeGreaterThan(5_000)
    expect(task.costMicroUsd).toBe(0)
    await expectEqual(orchestrator, backend)
  })

  test('has what a worker that died did not write down, though nobody goes on with the turn', async ({
    core,
    redis: { keys },
  }) => {
    const { startWorking, backend, records } = core
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({
      prompt: '@say: One @hold:here\n@tool bash {"command":"ls"}\n@hang',
    })
    await eventually(async () => expect((await records.read(id))!.seq).toBeGreaterThan(4))

    // Its job is taken to be dead; another worker claims the task and dies too, after it was to be cancelled.
    await records.claim(id, claimOptions())
    backend.holds.release('here')
    await eventually(() => expect(backend.ledger.paid()).toHaveLength(1))
    await orchestrator.tasks.cancel(id)
    expect(await records.read(id)).toMatchObject({ spent: [], turnSpent: [] })
    await comesAgain(core, keys, id)

    const task = await finished(orchestrator, id)
    expect(task).toMatchObject({ state: 'cancelled', costMicroUsd: billOf(backend) })
    expect(task.costEstimatedMicroUsd).toBeGreaterThan(0)
    await expectEqual(orchestrator, backend)
  })

  test('has what a turn came to whose task is cancelled while no worker has it', async ({
    core: { start, backend },
  }) => {
    const orchestrator = await start()
    const { id } = await handedOver(orchestrator, backend)

    expect(await orchestrator.tasks.cancel(id)).toMatchObject({
      state: 'cancelled',
      costMicroUsd: billOf(backend),
    })

    expect(backend.aborts).toEqual(['ses_1'])
    expect((await orchestrator.tasks.get(id)).costEstimatedMicroUsd).toBeGreaterThan(0)
    await expectEqual(orchestrator, backend)
  })

  test('has what a turn came to whose task broke its workers, and nothing of it goes on', async ({
    core,
    redis: { keys },
  }) => {
    const { start, backend, records, redis } = core
    const orchestrator = await start()
    const { id } = await handedOver(orchestrator, backend)
    for (let count = 0; count < MAX_DELIVERIES; count += 1) await records.claim(id, claimOptions())

    await orchestrator.startWorker()

    const task = await finished(orchestrator, id)
    expect(task.error).toMatchObject({ code: 'too_many_deliveries' })
    await eventually(async () =>
      expect(await orchestrator.tasks.get(id)).toMatchObject({ costMicroUsd: billOf(backend) }),
    )
    expect(backend.aborts).toEqual(['ses_1'])
    expect(await redis.zcard(keys.tombstones)).toBe(1)
    await expectEqual(orchestrator, backend)
  })

  test('counts a task that is asked for again at each of its ends', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()
    const first = await run(orchestrator, { model: 'acme/nano', prompt: '@usage:1000,10 @finish:length' })
    await orchestrator.tasks.retry(first.id)
    await eventually(async () =>
      expect(await orchestrator.tasks.get(first.id)).toMatchObject({ state: 'succeeded', attempt: 2 }),
    )

    const again = await orchestrator.tasks.get(first.id)
    expect(again.costMicroUsd).toBe(2 * first.costMicroUsd)
    expect((await orchestrator.money.costs({})).total.tasks).toBe(2)
    await expectEqual(orchestrator, backend)
  })
})

describe('the ledger and the bill', () => {
  const step = fc.constantFrom(
    '@usage:1000,10,400',
    '@words:12',
    '@reasoning:4 @say: Well',
    '@status:503,1 @say: Again',
    '@words:5 @drop:1',
    '@words:30 @malformed:1',
    CHILD,
    '@tool bash {"command":"ls"}',
  )
  const prompt = fc
    .array(step, { minLength: 1, maxLength: 4 })
    .map((steps) => `${steps.join('\n@tool bash {"command":"ls"}\n')}\n@say: End`)
  const input: fc.Arbitrary<TaskInput> = fc.record({
    tier: fc.constantFrom('fast', 'powerful'),
    messages: fc.array(
      fc.record(
        { text: prompt, model: fc.constantFrom('acme/big', 'globex/deep') },
        { requiredKeys: ['text'] },
      ),
      { minLength: 1, maxLength: 3 },
    ),
  })
  const trouble = fc.constantFrom('none', 'lose turns', 'away', 'cancel one', 'replace the worker')

  test('are equal whatever goes wrong', { timeout: 120_000 }, async ({ core }) => {
    const { start, backend } = core
    const orchestrator = await start()
    const tasks: string[] = []
    await fc.assert(
      fc.asyncProperty(
        fc.array(input, { minLength: 1, maxLength: 4 }),
        fc.array(trouble, { maxLength: 4 }),
        async (inputs, troubles) => {
          let worker = await orchestrator.startWorker()
          const ids = await Promise.all(inputs.map(async (one) => (await orchestrator.tasks.submit(one)).id))
          tasks.push(...ids)
          for (const what of troubles) {
            if (what === 'lose turns') backend.loseTurns()
            if (what === 'cancel one') await orchestrator.tasks.cancel(ids[0]!)
            if (what === 'away') {
              backend.setAway(true)
              await orchestrator.tasks.list({ limit: 1 })
              backend.setAway(false)
            }
            if (what === 'replace the worker') {
              await worker.close()
              worker = await orchestrator.startWorker()
            }
          }
          await Promise.all(ids.map((id) => finished(orchestrator, id)))
          await worker.close()
          await expectEqual(orchestrator, backend, tasks)
        },
      ),
      { numRuns: 12 },
    )
  })
})

const CHILD = `@tool task ${JSON.stringify({
  ...{ description: 'sub', subagent_type: 'general' },
  prompt: '@usage:2000,20\n@tool bash {"command":"ls"}\n@usage:3000,30',
})}`

const NONE = {
  ...{ inputTokens: 0, outputTokens: 0, reasoningTokens: 0 },
  ...{ cacheReadTokens: 0, cacheWriteTokens: 0 },
}

function billOf({ ledger }: MemoryBackend): number {
  return ledger.entries().reduce((sum, { costMicroUsd }) => sum + costMicroUsd, 0)
}

/** Of the tasks, of the ledger however it is looked at, and of the provider. */
async function expectEqual(
  orchestrator: Orchestrator,
  backend: MemoryBackend,
  ids?: readonly string[],
): Promise<void> {
  const tasks: Task[] = ids
    ? await Promise.all(ids.map((id) => orchestrator.tasks.get(id)))
    : (await orchestrator.tasks.list({ limit: 200 })).data
  const sum = (of: (task: Task) => number): number => tasks.reduce((total, task) => total + of(task), 0)
  const costMicroUsd = sum((task) => task.costMicroUsd)
  expect(costMicroUsd).toBe(billOf(backend))
  const total = {
    ...{ costMicroUsd, costEstimatedMicroUsd: sum((task) => task.costEstimatedMicroUsd) },
    usage: {
      inputTokens: sum(({ usage }) => usage.inputTokens),
      outputTokens: sum(({ usage }) => usage.outputTokens),
    },
  }
  for (const groupBy of ['model', 'tier', 'type', 'key', 'day']) {
    const costs = await orchestrator.money.costs({ groupBy })
    expect(costs.total).toMatchObject(total)
    expect(costs.data.reduce((all, line) => all + line.costMicroUsd, 0)).toBe(costMicroUsd)
  }
}

/** A task whose turn has gone on, and paid, since its worker gave it back. */
async function handedOver(orchestrator: Orchestrator, backend: MemoryBackend): Promise<Task> {
  const worker = await orchestrator.startWorker()
  const task = await orchestrator.tasks.submit({
    prompt: '@say: One @hold:here\n@tool bash {"command":"ls"}\n@hang',
  })
  await backend.holds.held('here')
  await worker.close()
  backend.holds.release('here')
  await eventually(() => expect(backend.ledger.paid()).toHaveLength(1))
  return task
}

/** As when the lock of a dead worker has run out: the job comes again. */
async function comesAgain({ records, redis }: CoreFixture, keys: Keys, id: string): Promise<void> {
  const queues = createTaskQueues({ redis, keys })
  const record = (await records.read(id))!
  await queues.clear(record.queue, id)
  await queues.deliver({ ...deliveryOf(id, record), delayMs: 0 })
  await queues.close()
}
