/** Rules and the length of prompts, from the submit to the run. */
import { describe, expect } from 'vitest'
import { recordFacts } from '../../src/dispatch/record-facts.ts'
import type { RoutingRule, Tier } from '../../src/routing/table.ts'
import { finished, run, test } from '../setup/core-test.ts'

const rule = (when: RoutingRule['when'], more: Partial<RoutingRule> = {}): RoutingRule => ({
  ...{ when, tier: 'powerful', model: null, timeoutMs: null, maxCostMicroUsd: null },
  ...more,
})
/** 16,000 tokens of context and 1,000 of output, beside 128,000 and 16,000. */
const SMALL: Tier = { name: 'fast', models: ['globex/tiny', 'acme/mini'], concurrency: null }
const LONG = 'word '.repeat(16_000)

describe('a rule', () => {
  test('routes by length, directory and key, and leaves one step in the record', async ({
    core: { start, config, records },
  }) => {
    config.swap({
      rules: [
        rule({ promptTokens: { over: 10_000 } }),
        rule({ directories: ['/pay'] }),
        rule({ keys: ['ci'] }),
        ...Array.from({ length: 197 }, (_, index) => rule({ keys: [`key${index}`] })),
      ],
    })
    const { tasks } = await start()
    const submitted = [
      await tasks.submit({ prompt: LONG, type: 'lint' }),
      await tasks.submit({ prompt: 'Hello', directory: '/pay/api' }),
      await tasks.submit({ prompt: 'Hello' }, 'ci'),
      await tasks.submit({ prompt: 'Hello', type: 'lint' }, 'web'),
    ]

    expect(submitted.map(({ queue }) => queue)).toEqual(['powerful', 'powerful', 'powerful', 'fast'])
    const [first, ...others] = await Promise.all(submitted.map(({ id }) => records.read(id)))
    expect(first!.route.steps[0]).toEqual({
      step: 'rule',
      input: 'rules.0',
      outcome: 'tier powerful: about 20000 tokens',
    })
    for (const record of [first!, ...others])
      expect(record!.route.steps.filter(({ step }) => step === 'rule')).toHaveLength(1)
  })

  test('looks at the directory of a session, and at the key of the task above', async ({
    core: { startWorking, config, backend },
  }) => {
    config.swap({
      rules: [
        rule({ directories: ['/pay'], keys: ['ci'] }),
        rule({ keys: ['ci'] }, { tier: null, model: 'globex/deep' }),
      ],
    })
    const orchestrator = await startWorking()
    const { sessionID } = await run(orchestrator, { prompt: 'Hello', directory: '/pay' })
    const inSession = await orchestrator.tasks.submit({ prompt: 'Hello', sessionID: sessionID! }, 'ci')
    const parent = await orchestrator.tasks.submit({ prompt: '@hold:parent' }, 'ci')
    const child = await orchestrator.tasks.submit({ prompt: 'Hello', parentTaskID: parent.id })
    backend.holds.release('parent')

    expect([inSession.model, parent.model, child.model]).toEqual(['acme/big', 'globex/deep', 'globex/deep'])
    expect(await finished(orchestrator, child.id)).toMatchObject({ state: 'succeeded', model: 'globex/deep' })
  })

  test('limits what it matches, whatever tier the task names', async ({ core: { startWorking, config } }) => {
    config.swap({
      rules: [
        rule({ keys: ['ci'] }, { timeoutMs: 50, queueTimeoutMs: 9_000, permissions: { bash: 'deny' } }),
      ],
    })
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: '@hold:here', tier: 'fast' }, 'ci')

    expect(await finished(orchestrator, id)).toMatchObject({
      state: 'failed',
      tier: 'fast',
      error: { code: 'task_timeout', message: expect.stringContaining(' 0 s since') },
    })
    const wanted = { prompt: 'Hello', tier: 'fast', permissions: { bash: 'allow' } } as const
    await expect(orchestrator.tasks.submit(wanted, 'ci')).rejects.toMatchObject({
      errors: [{ field: 'permissions.bash' }],
    })
    await expect(orchestrator.tasks.submit(wanted, 'web')).resolves.toMatchObject({ tier: 'fast' })
  })

  test('is asked again when the task starts, and its tier stays', async ({
    core: { start, config, log },
  }) => {
    config.swap({ rules: [rule({ promptTokens: { over: 10_000 } })] })
    const orchestrator = await start()
    const { id } = await orchestrator.tasks.submit({ prompt: LONG })
    config.swap({
      rules: [rule({ promptTokens: { over: 10_000 } }, { tier: 'fast', maxSteps: 7 })],
      tiers: [SMALL, { name: 'powerful', models: ['globex/tiny', 'globex/deep'], concurrency: 1 }],
    })
    await orchestrator.startWorker()

    expect(await finished(orchestrator, id)).toMatchObject({
      state: 'succeeded',
      queue: 'powerful',
      model: 'globex/deep',
    })
    const moved = (await log(id)).find(({ type }) => type === 'model-changed')
    expect(moved).toMatchObject({ from: 'acme/big', to: 'globex/deep' })
  })

  test('by directory still holds in a worktree of it', async ({ core: { startWorking, records } }) => {
    const task = await run(await startWorking(), {
      prompt: 'Hello',
      directory: '/pay/api',
      isolation: 'worktree',
    })
    const record = (await records.read(task.id))!

    expect(record.directory).not.toBe('/pay/api')
    expect(recordFacts(record).directory).toBe('/pay/api')
  })
})

describe('explain', () => {
  test('says of every rule why, for any key, and is what a submit gives', async ({
    core: { start, config },
  }) => {
    config.swap({ rules: [rule({ keys: ['ci'] }), rule({ promptTokens: { over: 10_000 } })] })
    const { routing, tasks } = await start()
    const outcomes = async (key: string | null) =>
      (await routing.explain({ prompt: LONG }, key)).route?.steps
        .filter(({ step }) => step === 'rule')
        .map(({ outcome }) => outcome)

    expect(await outcomes('ci')).toEqual([
      'tier powerful: key ci',
      'matches too, after rules.0: about 20000 tokens',
    ])
    expect(await outcomes(null)).toEqual([
      'does not match: no key, not key ci',
      'tier powerful: about 20000 tokens',
    ])
    const { task } = await tasks.accept({ prompt: LONG }, 'web')
    const { route } = await routing.explain({ prompt: LONG }, 'web')
    expect({ ...route, steps: [] }).toEqual({ ...task.route, steps: [] })
  })
})

describe('a prompt', () => {
  test('goes to the first model of its tier that can take it', async ({
    core: { startWorking, config, backend },
  }) => {
    config.swap({ tiers: [SMALL] })
    const orchestrator = await startWorking()

    expect(await run(orchestrator, { prompt: LONG })).toMatchObject({
      state: 'succeeded',
      model: 'acme/mini',
      route: { chain: [] },
    })
    expect((await run(orchestrator, { prompt: 'Hello' })).model).toBe('globex/tiny')
    expect(backend.turns.map(({ model }) => model)).toEqual(['acme/mini', 'globex/tiny'])
  })

  test('that no model can take is refused, and nothing is queued', async ({ core: { start, config } }) => {
    config.swap({ tiers: [{ ...SMALL, models: ['globex/tiny'] }] })
    const { tasks } = await start()
    const refused = (input: object) =>
      tasks.submit(input).then(
        () => undefined,
        ({ code, errors }) => [code, errors[0].field],
      )

    expect(await refused({ prompt: LONG })).toEqual(['prompt_too_long', 'tier'])
    expect(await refused({ prompt: LONG, type: 'lint' })).toEqual(['prompt_too_long', 'type'])
    expect(await refused({ prompt: LONG, model: 'globex/tiny' })).toEqual(['prompt_too_long', 'model'])
    expect(await refused({ messages: [{ text: 'Hello' }, { text: LONG, model: 'globex/tiny' }] })).toEqual([
      'prompt_too_long',
      'messages.1.model',
    ])
    expect(await tasks.submitMany([{ prompt: LONG }])).toMatchObject([
      { status: 422, problem: { code: 'prompt_too_long' } },
    ])
    expect((await tasks.list({ limit: 10 })).data).toEqual([])
    // Each of them fits, and of all together OpenCode makes a summary.
    const halves = [{ text: LONG.slice(0, 40_000) }, { text: LONG.slice(0, 40_000) }]
    expect(await refused({ messages: halves })).toBeUndefined()
  })

  test('of a comparison is held against its columns, not against the default', async ({
    core: { startWorking, config },
  }) => {
    config.swap({ tiers: [{ ...SMALL, models: ['globex/tiny'] }] })
    const orchestrator = await startWorking()
    const compare = (...models: string[]) => orchestrator.tasks.compare({ prompt: LONG, models })

    await expect(compare('acme/big', 'globex/tiny')).rejects.toMatchObject({
      code: 'prompt_too_long',
      errors: [{ field: 'models.1' }],
    })
    const { id } = await compare('acme/big', 'acme/mini')
    expect((await finished(orchestrator, id)).state).toBe('succeeded')
  })
})
