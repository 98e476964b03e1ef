import { describe, expect } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import type { Keys } from '../../src/redis/keys.ts'
import type { Caps, RoutingTableParts } from '../../src/routing/table.ts'
import type { SessionBackend } from '../../src/sessions/backend.ts'
import type { TaskInput } from '../../src/tasks/input.ts'
import type { ModelID } from '../../src/tasks/model-id.ts'
import type { Task } from '../../src/tasks/task.ts'
import type { MemoryBackend } from '../doubles/memory-backend.ts'
import { type CoreFixture, finished, itemsOf, run, test, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

describe('concurrency of a model', () => {
  test('holds over all workers and tiers, and all tasks get their turn', { timeout: 60_000 }, async ({
    core,
    redis: { keys },
  }) => {
    core.config.swap({ ...TWO_TIERS, ...limits({ 'model:acme/nano': { concurrency: 3 } }) })
    const { backend, most } = counting(core.backend)
    const workers = await Promise.all([1, 2, 3].map(() => core.startWorking({ backends: [backend] })))

    const tasks = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        run(workers[index % 3]!, {
          tier: index % 2 === 0 ? 'fast' : 'slow',
          prompt: '@delay:20 @say: Hello',
        }),
      ),
    )

    expect(tasks.map(({ state }) => state)).toEqual(tasks.map(() => 'succeeded'))
    expect(most('acme/nano')).toBeOneOf([2, 3])
    await nothingLeft(core, keys)
  })

  test('is told to who waits, who is woken when somebody leaves, and holds nothing', async ({ core }) => {
    core.config.swap({ ...TWO_TIERS, ...limits({ 'model:acme/nano': { concurrency: 1 } }) })
    const orchestrator = await core.startWorking()
    const { tasks } = orchestrator
    const first = await tasks.submit({ tier: 'fast', prompt: '@hold:first' })
    await core.backend.holds.held('first')

    const second = await tasks.submit({ tier: 'slow', prompt: 'Second' })
    await waits(core, [second])
    expect(await tasks.get(second.id)).toMatchObject({
      state: 'waiting',
      waitingFor: { reason: 'limit', detail: 'acme/nano: 1 of 1 running', until: null },
      attempt: 0,
      startedAt: null,
    })
    core.backend.holds.release('first')
    await finished(orchestrator, first.id)
    expect(await finished(orchestrator, second.id)).toMatchObject({ state: 'succeeded', waitingFor: null })
    expect(typesOf(await itemsOf(orchestrator, second.id)).slice(0, 5)).toEqual([
      ...['task-queued', 'task-routed', 'task-parked', 'task-resumed', 'attempt-started'],
    ])
  })

  test('does not send a task to the next model of its tier', async ({ core }) => {
    core.config.swap(limits({ 'model:acme/nano': { concurrency: 1 } }))
    const orchestrator = await core.startWorking()
    await orchestrator.tasks.submit({ tier: 'fast', prompt: '@hold:first' })
    await core.backend.holds.held('first')
    const second = await orchestrator.tasks.submit({ tier: 'fast', prompt: 'Second' })
    await waits(core, [second])

    core.backend.holds.release('first')
    expect(await finished(orchestrator, second.id)).toMatchObject({ model: 'acme/nano' })
  })

  test('and that of its provider hold together', async ({ core }) => {
    core.config.swap(limits({ 'provider:acme': { concurrency: 1 }, 'model:acme/big': { concurrency: 1 } }))
    const orchestrator = await core.startWorking()
    await orchestrator.tasks.submit({ tier: 'fast', prompt: '@hold:first' })
    await core.backend.holds.held('first')
    const second = await orchestrator.tasks.submit({ tier: 'powerful', prompt: 'Second' })
    await waits(core, [second])

    expect((await orchestrator.tasks.get(second.id)).waitingFor!.detail).toBe('acme: 1 of 1 running')
    core.backend.holds.release('first')
    await finished(orchestrator, second.id)
  })

  test('is the concurrency of the queue where a tier has more: nothing is taken only to be put back', async ({
    core,
    redis: { keys },
  }) => {
    core.config.swap({
      tiers: [{ name: 'fast', models: ['acme/nano'], concurrency: 8 }],
      ...limits({ 'model:acme/nano': { concurrency: 2 } }),
    })
    const orchestrator = await core.startWorking()
    const tasks = await Promise.all(
      Array.from({ length: 12 }, () => orchestrator.tasks.submit({ prompt: '@hold:all @say: Hello' })),
    )
    await core.backend.holds.held('all', 2)
    expect(await core.redis.hget(`${keys.queuePrefix}:fast:meta`, 'concurrency')).toBe('2')
    core.backend.holds.release('all')

    for (const { id } of tasks) {
      await finished(orchestrator, id)
      expect(typesOf(await itemsOf(orchestrator, id))).not.toContain('task-parked')
    }
  })

  test('that a reload raises lets through who waits; one that is removed, everybody', async ({
    core,
    redis: { keys },
  }) => {
    core.config.swap({ ...TWO_TIERS, ...limits({ 'model:acme/nano': { concurrency: 1 } }) })
    const orchestrator = await core.startWorking()
    const tasks = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        orchestrator.tasks.submit({
          tier: index % 2 === 0 ? 'fast' : 'slow',
          prompt: '@hold:all @say: Hello',
        }),
      ),
    )
    await core.backend.holds.held('all', 1)
    await eventually(async () => expect(await waiting(core, tasks)).toBeGreaterThan(0))

    core.config.swap(limits({ 'model:acme/nano': { concurrency: 3 } }))
    await core.backend.holds.held('all', 3)
    core.config.swap(limits({}))
    await core.backend.holds.held('all', 6)
    core.backend.holds.release('all')
    for (const { id } of tasks) await finished(orchestrator, id)
    await nothingLeft(core, keys)
  })

  test('is free again when a task that waits or runs is cancelled', async ({ core, redis: { keys } }) => {
    core.config.swap({ ...TWO_TIERS, ...limits({ 'model:acme/nano': { concurrency: 1 } }) })
    const orchestrator = await core.startWorking()
    const { tasks } = orchestrator
    const [first, second, third] = [
      await tasks.submit({ tier: 'fast', prompt: '@hold:first' }),
      await tasks.submit({ tier: 'slow', prompt: '@hold:second' }),
      await tasks.submit({ tier: 'fast', prompt: 'Third' }),
    ]
    await waits(core, [second])

    await tasks.cancel(second.id)
    await tasks.cancel(first.id)
    expect(await finished(orchestrator, third.id)).toMatchObject({ state: 'succeeded' })
    await nothingLeft(core, keys)
  })

  test('counts where a message of a running task names the model itself', async ({
    core,
    redis: { keys },
  }) => {
    core.config.swap(limits({ 'model:acme/mini': { concurrency: 1 } }))
    const orchestrator = await core.startWorking()
    const { tasks } = orchestrator
    await tasks.submit({ model: 'acme/mini', prompt: '@hold:busy' })
    await core.backend.holds.held('busy')

    const { id } = await tasks.submit({
      tier: 'powerful',
      messages: [{ text: 'One' }, { text: 'Two', model: 'acme/mini' }, { text: 'Three' }],
    })
    await eventually(async () =>
      expect(await tasks.get(id)).toMatchObject({
        state: 'waiting',
        waitingFor: { reason: 'limit', detail: 'acme/mini: 1 of 1 running' },
        progress: { message: 1, messages: 3 },
      }),
    )

    core.backend.holds.release('busy')
    const task = await finished(orchestrator, id)
    expect(task.result!.messages.map(({ model }) => model)).toEqual(['acme/big', 'acme/mini', 'acme/big'])
    expect(core.backend.turns).toHaveLength(4)
    await nothingLeft(core, keys)
  })
})

describe('a parent at a limit of one', () => {
  test('and two levels of children on the same model finish', async ({ core, redis: { keys } }) => {
    core.config.swap({
      tiers: [{ name: 'fast', models: ['acme/nano'], concurrency: null }],
      ...limits({ 'model:acme/nano': { concurrency: 1 }, 'provider:acme': { concurrency: 1 } }),
    })
    const orchestrator = await core.startWorking()
    const { tasks } = orchestrator
    const { holds } = core.backend
    const parent = await tasks.submit({ prompt: '@hold:parent' })
    await holds.held('parent')
    const child = await below(orchestrator, parent, { prompt: '@hold:child' })
    await holds.held('child')
    const other = await tasks.submit({ prompt: 'Other' })
    const brother = await below(orchestrator, parent, { prompt: 'Brother' })
    const grandchild = await below(orchestrator, child, { prompt: 'Grandchild' })

    expect(await finished(orchestrator, grandchild.id)).toMatchObject({ state: 'succeeded' })
    await waits(core, [brother])
    holds.release('child')
    for (const { id } of [child, brother])
      expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
    expect((await core.records.read(other.id))!.state).toBe('waiting')
    holds.release('parent')
    for (const { id } of [parent, other])
      expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
    await nothingLeft(core, keys)
  })

  test('a comparison holds nothing', async ({ core }) => {
    core.config.swap(limits({ 'provider:acme': { concurrency: 1 }, 'key:*': { concurrency: 1 } }))
    const orchestrator = await core.startWorking()

    const { id } = await orchestrator.tasks.compare(
      { prompt: 'Hello', models: ['acme/nano', 'acme/mini', 'acme/big'] },
      'ci',
    )

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
  })
})

describe('concurrency of an API key', () => {
  test('is its own, or that of all that are not named', async ({ core }) => {
    core.config.swap(limits({ 'key:*': { concurrency: 1 }, 'key:ci': { concurrency: 2 } }))
    const orchestrator = await core.startWorking()
    const submit = async (key: string | null, count: number) => {
      for (let left = count; left > 0; left -= 1)
        await orchestrator.tasks.accept({ tier: 'fast', prompt: `@hold:${key} @say: Hello` }, key)
    }
    const { holds } = core.backend
    await submit('ci', 3)
    await submit('ui', 2)
    await submit('api', 2)
    await submit(null, 4)
    await Promise.all([holds.held('ci', 2), holds.held('ui', 1), holds.held('api', 1), holds.held('null', 4)])

    const { data } = await orchestrator.tasks.list({ limit: 200 })
    await waits(core, data, 3)
    const details = (await Promise.all(data.map(({ id }) => orchestrator.tasks.get(id)))).flatMap(
      ({ waitingFor }) => waitingFor?.detail ?? [],
    )
    expect(details.sort()).toEqual([
      'key api: 1 of 1 running',
      'key ci: 2 of 2 running',
      'key ui: 1 of 1 running',
    ])
    for (const name of ['ci', 'ui', 'api', 'null']) holds.release(name)
    for (const { id } of data) await finished(orchestrator, id)
  })
})

describe('requests and tokens per minute', () => {
  test('are waited for, and who waits is told until when', async ({ core }) => {
    core.config.swap(limits({ 'model:acme/nano': { requestsPerMinute: 2 } }))
    const orchestrator = await core.startWorking({ minuteMs: 3_000 })
    const inputs = Array.from({ length: 5 }, () => ({ tier: 'fast', prompt: 'Hello' }))
    const tasks = await Promise.all(inputs.map((input) => orchestrator.tasks.submit(input)))

    await eventually(async () => {
      const found = await Promise.all(tasks.map(({ id }) => orchestrator.tasks.get(id)))
      expect(found.map(({ waitingFor }) => waitingFor)).toContainEqual({
        ...{ reason: 'limit', detail: 'acme/nano: 2 of 2 requests this minute' },
        until: expect.any(Number),
      })
    })
    for (const { id } of tasks) expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
  })

  test('count each message of a task that was taken over', async ({ core }) => {
    core.config.swap(limits({ 'model:acme/nano': { requestsPerMinute: 2 } }))
    const orchestrator = await core.start({ minuteMs: 3_600_000 })
    const worker = await orchestrator.startWorker()
    const messages = [{ text: '@hold:here' }, { text: 'And now?' }]
    const first = await orchestrator.tasks.submit({ model: 'acme/nano', messages })
    await core.backend.holds.held('here')
    await worker.close()
    await orchestrator.startWorker()
    core.backend.holds.release('here')
    expect(await finished(orchestrator, first.id)).toMatchObject({ state: 'succeeded', attempt: 2 })

    const next = await orchestrator.tasks.submit({ model: 'acme/nano', prompt: 'Hello' })

    await waits(core, [next])
    expect((await orchestrator.tasks.get(next.id)).waitingFor).toMatchObject({
      detail: 'acme/nano: 2 of 2 requests this minute',
    })
    await orchestrator.tasks.cancel(next.id)
  })

  test('tokens are corrected by what a turn has used', async ({ core }) => {
    core.config.swap(limits({ 'model:acme/nano': { tokensPerMinute: 1000 } }))
    const orchestrator = await core.startWorking({ minuteMs: 3_000 })
    await run(orchestrator, { tier: 'fast', prompt: '@usage:600,500 @say: Hello' })

    const { id } = await orchestrator.tasks.submit({ tier: 'fast', prompt: 'Hello' })

    await eventually(async () =>
      expect((await orchestrator.tasks.get(id)).waitingFor?.detail).toMatch(
        /^acme\/nano: 11\d\d of 1000 tokens this minute$/,
      ),
    )
    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
  })
})

const TWO_TIERS: Partial<RoutingTableParts> = {
  tiers: [
    { name: 'fast', models: ['acme/nano'], concurrency: 20 },
    { name: 'slow', models: ['acme/nano', 'acme/big'], concurrency: 20 },
  ],
}

function limits(caps: Record<string, Partial<Caps>>): Partial<RoutingTableParts> {
  const none = { concurrency: null, requestsPerMinute: null, tokensPerMinute: null }
  return { caps: new Map(Object.entries(caps).map(([name, some]) => [name, { ...none, ...some }])) }
}

/** The same backend, which knows how many turns of a model there were at once. */
function counting(inner: MemoryBackend): { backend: SessionBackend; most(model: ModelID): number } {
  const running = new Map<ModelID, number>()
  const most = new Map<ModelID, number>()
  async function* runTurn(...[turn, signal]: Parameters<SessionBackend['runTurn']>) {
    const now = (running.get(turn.model) ?? 0) + 1
    running.set(turn.model, now)
    most.set(turn.model, Math.max(now, most.get(turn.model) ?? 0))
    try {
      yield* inner.runTurn(turn, signal)
    } finally {
      running.set(turn.model, running.get(turn.model)! - 1)
    }
  }
  return { backend: { ...inner, runTurn }, most: (model) => most.get(model) ?? 0 }
}

function below({ tasks }: Orchestrator, parent: Task, input: TaskInput): Promise<Task> {
  return tasks.submit({ ...input, parentTaskID: parent.id })
}

async function waiting({ records }: CoreFixture, tasks: readonly Task[]): Promise<number> {
  const found = await records.readMany(tasks.map(({ id }) => id))
  return found.filter((record) => record!.waitingFor?.reason === 'limit').length
}

async function waits(core: CoreFixture, tasks: readonly Task[], count = tasks.length): Promise<void> {
  await eventually(async () => expect(await waiting(core, tasks)).toBe(count))
}

/** Who held or waited left nothing behind. */
async function nothingLeft({ redis }: CoreFixture, { limits: prefix }: Keys): Promise<void> {
  await eventually(async () => {
    const left = await redis.keys(`${prefix}*`)
    expect(left.filter((key) => !/(:minute|:caps)$/.test(key))).toEqual([])
  })
}
