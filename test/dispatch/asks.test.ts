import { describe, expect } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { createAskStore } from '../../src/records/ask-store.ts'
import { scriptsOn } from '../../src/redis/scripts.ts'
import type { Ask } from '../../src/tasks/ask.ts'
import { createMemoryConfig } from '../doubles/memory-config.ts'
import { finished, itemsOf, test, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

const BASH = '@tool bash {"command":"git push"}\n@say: Over.'
const QUESTION = `@tool question ${JSON.stringify({
  questions: [
    { question: 'Which?', header: 'W', options: [{ label: 'A', description: 'a' }], multiple: false },
  ],
})}\n@say: Over.`

describe('a permission that is to be asked', () => {
  test('waits for a person, says so, and goes on with the answer', async ({
    core: { start, startWorking, backend },
  }) => {
    const [producer] = [await start(), await startWorking()]
    const { id } = await producer.tasks.submit({ prompt: BASH, permissions: { bash: 'ask' } })

    const ask = await openAsk(producer, id)

    expect(ask).toMatchObject({
      kind: 'permission',
      permission: 'bash',
      patterns: ['git push'],
      questions: [],
      state: 'open',
      deadlineAt: ask.askedAt + 30_000,
    })
    expect(await producer.tasks.get(id)).toMatchObject({
      state: 'running',
      waitingFor: { reason: 'person', detail: 'bash: git push', until: ask.deadlineAt },
    })
    expect(await producer.tasks.answer(id, ask.id, { reply: 'once', message: 'Fine.' })).toEqual({
      ...ask,
      state: 'answered',
    })
    expect(await finished(producer, id)).toMatchObject({ state: 'succeeded', waitingFor: null })
    const items = await itemsOf(producer, id)
    const { askedAt: _, id: askID, state: __, ...subject } = ask
    expect(items).toContainEqual(expect.objectContaining({ type: 'ask-opened', askID, ...subject }))
    expect(items).toContainEqual(
      expect.objectContaining({
        type: 'ask-closed',
        askID,
        state: 'answered',
        reply: 'once',
        message: 'Fine.',
      }),
    )
    expect(items).toContainEqual(expect.objectContaining({ type: 'tool-finished', status: 'completed' }))
    expect(backend.turns).toHaveLength(1)
  })

  test('takes one answer', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: BASH, permissions: { bash: 'ask' } })
    const ask = await openAsk(orchestrator, id)

    const answers = await Promise.allSettled(
      Array.from({ length: 5 }, () => orchestrator.tasks.answer(id, ask.id, { reply: 'reject' })),
    )

    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(answers.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'ask_closed' },
    })
    await finished(orchestrator, id)
    await expect(orchestrator.tasks.answer(id, ask.id, { reply: 'once' })).rejects.toMatchObject({
      code: 'ask_closed',
    })
    expect(typesOf(await itemsOf(orchestrator, id)).filter((type) => type === 'ask-closed')).toHaveLength(1)
  })

  test('is denied at its deadline, and the model goes on', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking({ config: createMemoryConfig({ askTimeoutMs: 50 }) })
    const { id } = await orchestrator.tasks.submit({ prompt: BASH, permissions: { bash: 'ask' } })

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded', result: { text: 'Over.' } })
    expect(await orchestrator.tasks.asks(id)).toMatchObject([{ state: 'denied' }])
    const items = await itemsOf(orchestrator, id)
    expect(items).toContainEqual(expect.objectContaining({ type: 'ask-closed', state: 'denied' }))
    expect(items).toContainEqual(
      expect.objectContaining({ type: 'tool-finished', title: expect.stringContaining('Nobody answered') }),
    )
  })

  test('may be answered for the rest of the task, and of no other', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    const prompt = '@tool bash {"command":"git push"}\n@tool bash {"command":"git fetch"}\n@say: Over.'
    const input = { prompt, permissions: { bash: 'ask' as const } }
    const { id } = await orchestrator.tasks.submit(input)

    const ask = await openAsk(orchestrator, id)
    await orchestrator.tasks.answer(id, ask.id, { reply: 'always' })

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
    expect(await orchestrator.tasks.asks(id)).toHaveLength(1)
    const other = await orchestrator.tasks.submit(input)
    await orchestrator.tasks.answer(other.id, (await openAsk(orchestrator, other.id)).id, { reply: 'once' })
    await orchestrator.tasks.answer(other.id, (await openAsk(orchestrator, other.id)).id, { reply: 'once' })
    expect(await finished(orchestrator, other.id)).toMatchObject({ state: 'succeeded' })
  })

  test('can be cancelled', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: BASH, permissions: { bash: 'ask' } })
    await openAsk(orchestrator, id)

    await orchestrator.tasks.cancel(id)

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'cancelled', waitingFor: null })
    expect(backend.aborts).toEqual(['ses_1'])
    expect(await orchestrator.tasks.asks(id)).toMatchObject([{ state: 'denied' }])
    expect(typesOf(await itemsOf(orchestrator, id))).toContain('ask-closed')
  })

  test('is asked anew after a retry', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: BASH, permissions: { bash: 'ask' } })
    const first = await openAsk(orchestrator, id)
    await orchestrator.tasks.answer(id, first.id, { reply: 'once' })
    await finished(orchestrator, id)

    await orchestrator.tasks.retry(id)
    const second = await openAsk(orchestrator, id)

    expect(await orchestrator.tasks.asks(id)).toEqual([second])
    expect(second.id).not.toBe(first.id)
    await orchestrator.tasks.answer(id, second.id, { reply: 'once' })
    await finished(orchestrator, id)
  })
})

describe('a worker that takes over', () => {
  test('goes on waiting for the same answer, by the same deadline', async ({ core: { start, backend } }) => {
    const orchestrator = await start()
    const worker = await orchestrator.startWorker()
    const { id } = await orchestrator.tasks.submit({ prompt: BASH, permissions: { bash: 'ask' } })
    const ask = await openAsk(orchestrator, id)
    await worker.close()
    await orchestrator.startWorker()
    await eventually(() => expect(backend.turns).toHaveLength(2))

    expect(await openAsk(orchestrator, id)).toEqual(ask)
    await orchestrator.tasks.answer(id, ask.id, { reply: 'once' })

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded', attempt: 2 })
    const types = typesOf(await itemsOf(orchestrator, id))
    expect(types.filter((type) => type === 'ask-opened')).toHaveLength(1)
    expect(types.filter((type) => type === 'ask-closed')).toHaveLength(1)
    expect(backend.ledger.paid()).toHaveLength(2)
  })

  test('passes on what was answered while nobody had the task', async ({ core: { start } }) => {
    const orchestrator = await start()
    const worker = await orchestrator.startWorker()
    const { id } = await orchestrator.tasks.submit({ prompt: BASH, permissions: { bash: 'ask' } })
    const ask = await openAsk(orchestrator, id)
    await worker.close()

    await orchestrator.tasks.answer(id, ask.id, { reply: 'once' })
    await orchestrator.startWorker()

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
    const items = await itemsOf(orchestrator, id)
    expect(items.filter(({ type }) => type === 'ask-closed')).toEqual([
      expect.objectContaining({ state: 'answered', reply: 'once' }),
    ])
  })

  test('closes what was asked by a server that has forgotten it', async ({ core: { start, backend } }) => {
    const orchestrator = await start()
    const worker = await orchestrator.startWorker()
    const { id } = await orchestrator.tasks.submit({ prompt: BASH, permissions: { bash: 'ask' } })
    const lost = await openAsk(orchestrator, id)
    await worker.close()
    backend.loseTurns()
    await orchestrator.startWorker()

    await eventually(async () => expect(await orchestrator.tasks.asks(id)).toHaveLength(2))
    await eventually(async () =>
      expect(await orchestrator.tasks.asks(id)).toMatchObject([
        { id: lost.id, state: 'denied' },
        { state: 'open' },
      ]),
    )
    await orchestrator.tasks.answer(id, (await openAsk(orchestrator, id)).id, { reply: 'once' })
    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
  })
})

describe('a policy', () => {
  test('allows and denies without a person', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    const ids = await Promise.all(
      (['allow', 'deny'] as const).map(
        async (bash) => (await orchestrator.tasks.submit({ prompt: BASH, permissions: { bash } })).id,
      ),
    )
    const ends = []
    for (const id of ids) {
      await finished(orchestrator, id)
      ends.push((await itemsOf(orchestrator, id)).find(({ type }) => type === 'tool-finished'))
      expect(await orchestrator.tasks.asks(id)).toEqual([])
    }

    expect(ends).toMatchObject([{ status: 'completed' }, { status: 'error' }])
  })

  test('of the configuration and the route comes before that of the task', async ({
    core: { start, backend, config },
  }) => {
    const permissions = { bash: 'ask', webfetch: 'deny' } as const
    const route = { tier: 'fast', model: null, timeoutMs: null, maxCostMicroUsd: null }
    config.swap({ routes: new Map([['lint', { ...route, permissions: { bash: { 'git *': 'allow' } } }]]) })
    const orchestrator = await start({
      config: { ...config, limits: () => ({ ...config.limits(), permissions }) },
    })
    const worker = await orchestrator.startWorker()
    const { id } = await orchestrator.tasks.submit({
      type: 'lint',
      prompt: 'x',
      permissions: { edit: 'deny' },
    })
    await finished(orchestrator, id)
    await worker.close()

    expect(backend.sessions[0]!.rules).toEqual([
      { permission: 'bash', pattern: '*', action: 'ask' },
      { permission: 'webfetch', pattern: '*', action: 'deny' },
      { permission: 'bash', pattern: 'git *', action: 'allow' },
      { permission: 'edit', pattern: '*', action: 'deny' },
    ])
    await expect(
      orchestrator.tasks.submit({ prompt: 'x', permissions: { webfetch: 'ask' } }),
    ).rejects.toMatchObject({
      code: 'invalid_input',
      errors: [{ field: 'permissions.webfetch', given: 'ask' }],
    })
    await orchestrator.tasks.submit({ prompt: 'x', permissions: { webfetch: 'deny', bash: 'allow' } })
  })
})

describe('a question', () => {
  test('is answered question by question', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: QUESTION, permissions: { question: 'ask' } })
    const ask = await openAsk(orchestrator, id)

    expect(ask).toMatchObject({ kind: 'question', permission: null, questions: [{ question: 'Which?' }] })
    for (const [wrong, field] of [
      [{ reply: 'once' }, 'reply'],
      [{ answers: [['A'], ['B']] }, 'answers'],
      [{}, 'reply'],
    ] as const)
      await expect(orchestrator.tasks.answer(id, ask.id, wrong)).rejects.toMatchObject({
        code: 'invalid_input',
        errors: [{ field }],
      })
    await orchestrator.tasks.answer(id, ask.id, { answers: [['A']] })

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
    expect(await itemsOf(orchestrator, id)).toContainEqual(
      expect.objectContaining({ type: 'ask-closed', state: 'answered', answers: [['A']] }),
    )
  })

  test('is not asked unless a rule says so', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: QUESTION })

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
    expect(await orchestrator.tasks.asks(id)).toEqual([])
  })
})

test('answer() knows no other ask, and no answer of another kind', async ({ core: { startWorking } }) => {
  const orchestrator = await startWorking()
  const { id } = await orchestrator.tasks.submit({ prompt: BASH, permissions: { bash: 'ask' } })
  const ask = await openAsk(orchestrator, id)

  await expect(orchestrator.tasks.answer(id, 'per_none', { reply: 'once' })).rejects.toMatchObject({
    code: 'ask_not_found',
  })
  await expect(orchestrator.tasks.answer(id, ask.id, { answers: [['A']] })).rejects.toMatchObject({
    code: 'invalid_input',
    errors: [{ field: 'answers' }],
  })
  await expect(orchestrator.tasks.asks('tsk_none')).rejects.toMatchObject({ code: 'task_not_found' })
  await orchestrator.tasks.cancel(id)
  await finished(orchestrator, id)
})

test('a decision is made once, whoever makes it', async ({
  core: { startWorking, redis },
  redis: { keys },
}) => {
  const orchestrator = await startWorking()
  const { id } = await orchestrator.tasks.submit({ prompt: BASH, permissions: { bash: 'ask' } })
  const ask = await openAsk(orchestrator, id)
  const store = createAskStore({ redis, scripts: scriptsOn(redis), keys })

  const held = await store.decide(id, ask.id, { state: 'answered', reply: 'once' })
  expect(await store.decide(id, ask.id, { state: 'denied' })).toEqual(held)
  await expect(orchestrator.tasks.answer(id, ask.id, { reply: 'reject' })).rejects.toMatchObject({
    code: 'ask_closed',
  })
  await orchestrator.tasks.cancel(id)
  await finished(orchestrator, id)
})

async function openAsk({ tasks }: Orchestrator, id: string): Promise<Ask> {
  return eventually(async () => {
    const ask = (await tasks.asks(id)).find(({ state }) => state === 'open')
    expect(ask).toBeDefined()
    return ask!
  })
}
