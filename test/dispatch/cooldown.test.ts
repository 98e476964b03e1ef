import { describe, expect } from 'vitest'
import { type CoreFixture, finished, itemsOf, run, test, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

const RETRY = {
  maxTries: 1,
  backoffMs: 10,
  maxBackoffMs: 100,
  maxRetryAfterMs: 60_000,
  cooldownMs: 3_600_000,
  maxCooldownMs: 3_600_000,
}
const NANO_FAILS = '@status:503 @on:acme/nano'

describe('a model that a task gave up', () => {
  test('is left alone by the next tasks, of other workers too; the log says why', async ({
    core: { start, startWorking, backend },
  }) => {
    const first = await startWorking({ retry: RETRY })
    await run(first, { tier: 'fast', prompt: NANO_FAILS })
    const workers = await Promise.all([startWorking({ retry: RETRY }), startWorking({ retry: RETRY })])
    const asked = backend.turns.length

    const tasks = await Promise.all(
      [first, ...workers].map((orchestrator) => run(orchestrator, { tier: 'fast', prompt: 'Hello' })),
    )

    expect(tasks.map(({ model }) => model)).toEqual(['acme/mini', 'acme/mini', 'acme/mini'])
    expect(backend.turns.slice(asked).map(({ model }) => model)).not.toContain('acme/nano')
    expect(await itemsOf(first, tasks[0]!.id)).toContainEqual(
      expect.objectContaining({ type: 'model-changed', to: 'acme/mini', reason: 'acme/nano cools down' }),
    )
    const models = await (await start()).routing.models()
    const soon = Date.now() + 3_600_000
    expect(models.find(({ model }) => model === 'acme/nano')).toMatchObject({ state: 'cooling' })
    expect(models.find(({ model }) => model === 'acme/nano')!.coolingUntil).toBeLessThanOrEqual(soon)
    expect(models.find(({ model }) => model === 'acme/mini')).toMatchObject({
      state: 'ok',
      coolingUntil: null,
    })
  })

  test('is not left alone for what was wrong with the prompt', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking({ retry: RETRY })
    await run(orchestrator, { tier: 'fast', prompt: '@status:400' })

    expect(await run(orchestrator, { tier: 'fast', prompt: 'Hello' })).toMatchObject({ model: 'acme/nano' })
  })

  test('is waited for without a slot by who may use no other', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking({ retry: RETRY })
    await run(orchestrator, { model: 'acme/nano', prompt: NANO_FAILS })

    const { id } = await orchestrator.tasks.submit({ model: 'acme/nano', prompt: 'Hello' })
    await eventually(async () =>
      expect(await orchestrator.tasks.get(id)).toMatchObject({
        state: 'waiting',
        waitingFor: { reason: 'cooldown', detail: 'acme/nano cools down', until: expect.any(Number) },
      }),
    )

    expect(await orchestrator.tasks.get(id)).toMatchObject({ attempt: 0, startedAt: null })
    expect(backend.turns).toHaveLength(1)
    await orchestrator.tasks.cancel(id)
    expect(await finished(orchestrator, id)).toMatchObject({ state: 'cancelled' })
  })

  test('is tried by one task when its time is over, and then used by all that waited', async ({ core }) => {
    const { backend } = core
    const orchestrator = await core.startWorking({ retry: { ...RETRY, cooldownMs: 1_000 } })
    await run(orchestrator, { model: 'acme/nano', prompt: NANO_FAILS })
    const input = { model: 'acme/nano', prompt: '@hold:probe @say: Well' } as const

    const submitted = await Promise.all(Array.from({ length: 4 }, () => orchestrator.tasks.submit(input)))
    const ids = submitted.map(({ id }) => id)
    await backend.holds.held('probe')
    await parked(core, ids, 3)
    expect(backend.turns).toHaveLength(2)
    backend.holds.release('probe')

    const tasks = await Promise.all(ids.map((id) => finished(orchestrator, id)))
    expect(tasks.every(({ state }) => state === 'succeeded')).toBe(true)
    expect(backend.turns).toHaveLength(5)
    const all = await Promise.all(ids.map(async (id) => typesOf(await itemsOf(orchestrator, id))))
    expect(all.filter((types) => types.includes('task-resumed')).length).toBeGreaterThanOrEqual(3)
    expect((await orchestrator.routing.models()).every(({ state }) => state === 'ok')).toBe(true)
  })

  test('cools down for longer when its probe fails', async ({ core, redis: { keys } }) => {
    const orchestrator = await core.startWorking({ retry: { ...RETRY, cooldownMs: 300 } })
    await run(orchestrator, { model: 'acme/nano', prompt: NANO_FAILS })

    await run(orchestrator, { model: 'acme/nano', prompt: NANO_FAILS })

    // Twice in a row, and nobody tries it.
    expect(await core.redis.hget(keys.cooling, 'acme/nano')).toMatch(/^\d+ 2 0 -$/)
  })

  test('is passed over by a task that runs, between two of its messages', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking({ retry: RETRY })
    const { id } = await orchestrator.tasks.submit({
      tier: 'fast',
      messages: [{ text: '@hold:here @say: One' }, { text: 'Two' }],
    })
    await backend.holds.held('here')
    await run(orchestrator, { model: 'acme/nano', prompt: NANO_FAILS })

    backend.holds.release('here')

    const task = await finished(orchestrator, id)
    expect(task.result!.messages.map(({ model }) => model)).toEqual(['acme/nano', 'acme/mini'])
  })
})

async function parked({ records }: CoreFixture, ids: readonly string[], count: number): Promise<void> {
  await eventually(async () => {
    const found = await records.readMany(ids)
    expect(found.filter((record) => record!.waitingFor?.reason === 'cooldown')).toHaveLength(count)
  })
}
