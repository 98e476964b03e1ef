import { describe, expect, onTestFinished } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { announceQueues } from '../../src/queues/known-queues.ts'
import { createTaskQueues } from '../../src/queues/task-queues.ts'
import type { MemoryBackend } from '../doubles/memory-backend.ts'
import { createMemoryConfig } from '../doubles/memory-config.ts'
import { finished, run, test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

describe('order', () => {
  test('is that of submission', async ({ core: { start, backend } }) => {
    const orchestrator = await start()
    const ids = await submitAll(orchestrator, [{}, {}, {}, {}])

    await orchestrator.startWorker({ concurrency: 1 })
    for (const id of ids) await finished(orchestrator, id)

    expect(backend.sessions.map(({ taskID }) => taskID)).toEqual(ids)
  })

  test('puts a lower priority number first, and none before all', async ({ core: { start, backend } }) => {
    const orchestrator = await start()
    const [last, middle, first, none] = await submitAll(orchestrator, [
      { priority: 9 },
      { priority: 5 },
      { priority: 1 },
      {},
    ])

    await orchestrator.startWorker({ concurrency: 1 })
    await finished(orchestrator, last!)

    expect(backend.sessions.map(({ taskID }) => taskID)).toEqual([none, first, middle, last])
  })

  test('keeps the priority of a task that is handed over or put off', async ({
    core: { start, backend },
  }) => {
    const orchestrator = await start()
    const [id] = await submitAll(orchestrator, [{ priority: 5, prompt: '@hold:here' }])
    const worker = await orchestrator.startWorker()
    await backend.holds.held('here')
    await worker.close()

    const [queue] = orchestrator.board.queues()
    expect(await queue!.counts()).toMatchObject({ waiting: 0, prioritized: 1, active: 0 })
    expect(await queue!.job(id!)).toMatchObject({ state: 'prioritized' })
  })
})

describe('delayMs', () => {
  test('keeps a task from starting, and others go before it', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const later = await orchestrator.tasks.submit({ prompt: 'Later', delayMs: 500 })
    expect(later.state).toBe('delayed')
    await run(orchestrator, { prompt: 'Now' })

    const task = await finished(orchestrator, later.id)

    expect(backend.sessions.map(({ taskID }) => taskID).at(-1)).toBe(later.id)
    expect(task.startedAt! - task.createdAt).toBeGreaterThanOrEqual(500)
  })

  test('is cut short by promote()', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: 'Later', delayMs: 3_600_000 })

    const promoted = await orchestrator.tasks.promote(id)

    expect(['waiting', 'running', 'succeeded']).toContain(promoted.state)
    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
  })
})

describe('concurrency of a tier', () => {
  test('holds over all workers together', async ({ core: { start, startWorking, backend } }) => {
    const producer = await start()
    const prompts = Array.from({ length: 12 }, () => ({ tier: 'powerful', prompt: '@delay:30' }))
    const ids = await submitAll(producer, prompts)

    await Promise.all([startWorking(), startWorking()])
    for (const id of ids) await finished(producer, id)

    expect(mostAtOnce(backend)).toBe(2)
  })

  test('follows the table while workers run', async ({ core: { startWorking, backend, config } }) => {
    const orchestrator = await startWorking()
    config.swap({ tiers: [{ name: 'fast', models: ['acme/nano'], concurrency: 1 }] })
    const probe = orchestrator.board.queues()[0]!
    expect(probe.name).toBe('fast')

    await eventually(async () => {
      const before = backend.ledger.entries().length
      const ids = await submitAll(orchestrator, [{ prompt: '@delay:20' }, { prompt: '@delay:20' }])
      for (const id of ids) await finished(orchestrator, id)
      expect(mostAtOnce(backend, before)).toBe(1)
    })
  })

  test('is capped for one process', async ({ core: { start, backend } }) => {
    const orchestrator = await start()
    const ids = await submitAll(
      orchestrator,
      Array.from({ length: 8 }, (_, index) => ({ prompt: `@hold:${index}` })),
    )

    await orchestrator.startWorker({ concurrency: 3 })
    await eventually(() => expect(backend.turns).toHaveLength(3))
    for (const index of ids.keys()) backend.holds.release(`${index}`)
    for (const id of ids) await finished(orchestrator, id)

    expect(mostAtOnce(backend)).toBe(3)
  })
})

describe('a worker of some tiers', () => {
  test('leaves the others to the others', async ({ core: { start } }) => {
    const orchestrator = await start()
    await orchestrator.startWorker({ tiers: ['powerful'] })
    const [fast, powerful] = await submitAll(orchestrator, [{ tier: 'fast' }, { tier: 'powerful' }])

    await finished(orchestrator, powerful!)

    expect((await orchestrator.tasks.get(fast!)).state).toBe('waiting')
    await orchestrator.startWorker({ tiers: ['fast'] })
    expect(await finished(orchestrator, fast!)).toMatchObject({ state: 'succeeded' })
  })
})

describe('pauseTier()', () => {
  test('stops a tier for all workers, and resumeTier() lets it go on', async ({
    core: { start, startWorking },
  }) => {
    const [producer] = [await start(), await startWorking()]

    expect(await producer.routing.pauseTier('fast')).toMatchObject({ tier: 'fast', paused: true })
    const [paused, other] = await submitAll(producer, [{ tier: 'fast' }, { tier: 'powerful' }])
    await finished(producer, other!)

    expect((await producer.tasks.get(paused!)).state).toBe('waiting')
    expect((await producer.routing.routes()).tiers.map((tier) => [tier.tier, tier.paused])).toEqual([
      ['fast', true],
      ['powerful', false],
    ])
    expect(await producer.routing.resumeTier('fast')).toMatchObject({ paused: false })
    expect(await finished(producer, paused!)).toMatchObject({ state: 'succeeded' })
  })

  test('lets what runs go on', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const [id] = await submitAll(orchestrator, [{ prompt: '@hold:here' }])
    await backend.holds.held('here')

    await orchestrator.routing.pauseTier('fast')
    backend.holds.release('here')

    expect(await finished(orchestrator, id!)).toMatchObject({ state: 'succeeded' })
  })

  test('names the tiers when there is none of that name', async ({ core: { start } }) => {
    const orchestrator = await start()

    await expect(orchestrator.routing.pauseTier('fsat')).rejects.toMatchObject({
      code: 'tier_not_found',
      errors: [{ field: 'tier', given: 'fsat', allowed: expect.arrayContaining(['fast']) }],
    })
  })
})

describe('a tier that is removed', () => {
  test('has its tasks run to their end, by workers that were started after it', async ({
    core: { start, config },
  }) => {
    const orchestrator = await start()
    const before = await orchestrator.startWorker()
    await before.close()
    const [id] = await submitAll(orchestrator, [{ tier: 'powerful' }])
    config.swap({ tiers: [{ name: 'fast', models: ['acme/nano'], concurrency: null }] })
    expect((await orchestrator.routing.routes()).warnings).toEqual([
      'The tier "powerful" was removed; its 1 tasks are still run',
    ])

    await orchestrator.startWorker()

    expect(await finished(orchestrator, id!)).toMatchObject({ state: 'succeeded', model: 'acme/big' })
    // BullMQ is told of the end after that.
    await eventually(async () => expect((await orchestrator.routing.routes()).warnings).toEqual([]))
  })

  test('has those run, too, that a process with an older table has submitted since', async ({
    core: { start, redis },
    redis: { keys },
  }) => {
    const newer = createMemoryConfig()
    newer.swap({ tiers: [{ name: 'fast', models: ['acme/nano'], concurrency: null }], routes: new Map() })
    const older = await start()
    const [one, other] = [await start({ config: newer }), await start({ config: newer })]
    await one.startWorker()
    await other.startWorker({ tiers: ['fast'] })
    const [id] = await submitAll(older, [{ tier: 'powerful' }])
    await run(one, { prompt: 'Hello', tier: 'fast' })
    expect(await older.tasks.get(id!)).toMatchObject({ state: 'waiting' })

    await announceQueues({ redis, keys }, ['powerful'])

    expect(await finished(older, id!)).toMatchObject({ state: 'succeeded' })
  })
})

test('a job that Redis cannot speak of counts as neither there nor lost', async ({
  core,
  redis: { keys },
}) => {
  const queues = createTaskQueues({ redis: core.redis, keys })
  onTestFinished(() => queues.close())
  await core.redis.set(queues.queue('fast').toKey('tsk_broken'), 'no hash')

  await expect(queues.undelivered([{ id: 'tsk_broken', queue: 'fast' }])).rejects.toThrow('WRONGTYPE')
  expect(await queues.undelivered([{ id: 'tsk_none', queue: 'fast' }])).toEqual(['tsk_none'])
})

type Input = { prompt?: string; tier?: string; priority?: number }

async function submitAll({ tasks }: Orchestrator, inputs: readonly Input[]): Promise<string[]> {
  const ids: string[] = []
  for (const input of inputs) ids.push((await tasks.submit({ prompt: 'Hello', ...input })).id)
  return ids
}

/** Most requests to the model that were under way at the same time, from the `from`th on. */
function mostAtOnce({ ledger }: MemoryBackend, from = 0): number {
  const entries = ledger.entries().slice(from)
  return Math.max(
    ...entries.map(({ at }) => entries.filter((other) => other.at <= at && at < other.endedAt!).length),
  )
}
