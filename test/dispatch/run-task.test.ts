import { describe, expect } from 'vitest'
import { createMemoryBackend } from '../doubles/memory-backend.ts'
import { finished, itemsOf, run, test, textsOf, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

describe('a task', () => {
  test('runs one message in a session of the routed model', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, { type: 'analysis', prompt: '@say: Hello there', title: 'Greeting' })

    expect(task).toMatchObject({ state: 'succeeded', tier: 'powerful', queue: 'powerful', model: 'acme/big' })
    expect(task.result).toMatchObject({
      text: 'Hello there',
      messages: [{ model: 'acme/big', finish: 'stop' }],
    })
    expect(task.progress).toEqual({ message: 1, messages: 1 })
    const [paid, ...more] = backend.ledger.paid()
    expect(more).toEqual([])
    expect(paid).toMatchObject({ model: 'acme/big', costMicroUsd: task.costMicroUsd })
    expect(task.costMicroUsd).toBeGreaterThan(0)
    expect(backend.sessions).toMatchObject([{ taskID: task.id, title: 'Greeting', model: 'acme/big' }])
    const items = await itemsOf(orchestrator, task.id)
    expect(typesOf(items)).toEqual([
      'task-queued',
      'task-routed',
      'attempt-started',
      'session-opened',
      'message-sent',
      'text-delta',
      'text-ended',
      'message-finished',
      'task-finished',
      'end',
    ])
    expect(textsOf(items)).toEqual(['Hello there'])
  })

  test('runs its messages one after the other in one session; an override lasts for its message', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, {
      tier: 'fast',
      messages: [
        { text: '@say: One' },
        { text: '@say: Two', model: 'acme/big', agent: 'plan', system: 'Be brief.' },
        { text: '@say: Three' },
      ],
    })

    expect(task).toMatchObject({
      state: 'succeeded',
      model: 'acme/nano',
      progress: { message: 3, messages: 3 },
    })
    expect(task.result!.text).toBe('Three')
    expect(task.result!.messages.map(({ model, text }) => `${model} ${text}`)).toEqual([
      'acme/nano One',
      'acme/big Two',
      'acme/nano Three',
    ])
    expect(backend.sessions).toHaveLength(1)
    expect(backend.turns).toMatchObject([
      { sessionID: 'ses_1', model: 'acme/nano', agent: 'build', system: undefined },
      { sessionID: 'ses_1', model: 'acme/big', agent: 'plan', system: 'Be brief.' },
      { sessionID: 'ses_1', model: 'acme/nano', agent: 'build', system: undefined },
    ])
    expect(new Set(backend.turns.map(({ messageID }) => messageID)).size).toBe(3)
    const paid = backend.ledger.paid().reduce((sum, entry) => sum + entry.costMicroUsd, 0)
    expect(task.costMicroUsd).toBe(paid)
  })

  test('streams as the model speaks: text, reasoning, tools', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({
      prompt: '@reasoning:3 @say: Before @hold:middle\n@tool bash {"command":"ls"}\n@say: After',
    })
    const items: unknown[] = []
    const reading = (async () => {
      for await (const item of orchestrator.handle(id).events()) items.push(item)
    })()
    await backend.holds.held('middle')
    await eventually(() => expect(items).toContainEqual(expect.objectContaining({ text: 'Before' })))
    expect(await orchestrator.tasks.get(id)).toMatchObject({
      state: 'running',
      attempt: 1,
      sessionID: 'ses_1',
    })

    backend.holds.release('middle')
    await reading

    expect(typesOf(await itemsOf(orchestrator, id)).slice(5)).toEqual([
      'reasoning-delta',
      'text-ended',
      'text-delta',
      'text-ended',
      'tool-called',
      'tool-finished',
      'text-delta',
      'text-ended',
      'message-finished',
      'task-finished',
      'end',
    ])
    expect((await finished(orchestrator, id)).result!.text).toBe('Before\n\nAfter')
    const text: string[] = []
    for await (const chunk of orchestrator.handle(id).text()) text.push(chunk)
    expect(text.join('')).toBe('Before\n\nAfter')
  })

  test('is priced by the table where the table knows better', async ({ core: { startWorking, config } }) => {
    const price = {
      inputMicroUsdPerMTok: 1_000_000,
      outputMicroUsdPerMTok: 2_000_000,
      cacheReadMicroUsdPerMTok: 0,
      cacheWriteMicroUsdPerMTok: 0,
    }
    config.swap({ prices: new Map([['acme/nano', price]]) })
    const orchestrator = await startWorking()

    const task = await run(orchestrator, { prompt: '@usage:1000,100' })

    expect(task.usage).toMatchObject({ inputTokens: 1_000, outputTokens: 100 })
    expect(task.costMicroUsd).toBe(1_200)
  })
})

describe('a failing provider', () => {
  test('is tried again later with a new message; both tries are paid for and the first text is withdrawn', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()

    // The double's first turn gives up after six requests; the tool step before was paid for.
    const task = await run(orchestrator, {
      model: 'acme/nano',
      prompt: '@say: Thinking\n@tool bash {"command":"ls"}\n@status:503,6 @say: Done',
    })

    expect(task).toMatchObject({ state: 'succeeded', attempt: 2 })
    expect(task.result!.text).toBe('Thinking\n\nDone')
    const messageIDs = backend.turns.map(({ messageID }) => messageID)
    expect(new Set(messageIDs).size).toBe(2)
    expect(backend.sessions).toHaveLength(1)
    const paid = backend.ledger.paid().reduce((sum, entry) => sum + entry.costMicroUsd, 0)
    expect(backend.ledger.paid()).toHaveLength(3)
    expect(task.costMicroUsd).toBe(paid)
    expect(task.result!.messages[0]!.costMicroUsd).toBeLessThan(paid)
    const items = await itemsOf(orchestrator, task.id)
    expect(items.filter(({ type }) => type === 'attempt-started')).toHaveLength(2)
    expect(items.filter(({ type }) => type === 'provider-retry').length).toBeGreaterThan(0)
    expect(textsOf(items)).toEqual(['Thinking', 'Done'])
  })

  test('fails the task after the last try, with what the provider said', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, { model: 'acme/nano', prompt: '@status:503' })

    expect(task).toMatchObject({ state: 'failed', attempt: 3, result: null })
    expect(task.error).toMatchObject({
      code: 'provider_error',
      retryable: true,
      model: 'acme/nano',
      httpStatus: 503,
    })
    expect(new Set(backend.turns.map(({ messageID }) => messageID)).size).toBe(3)
    expect((await itemsOf(orchestrator, task.id)).slice(-2)).toMatchObject([
      { type: 'task-finished', state: 'failed', error: { code: 'provider_error' } },
      { type: 'end', state: 'failed' },
    ])
  })

  test.for([
    ['@status:401', { code: 'provider_auth', httpStatus: 401 }],
    ['@overflow', { code: 'context_overflow' }],
    ['@status:400', { code: 'provider_error', httpStatus: 400 }],
  ] as const)('fails the task at once where no repeat can help: %s', async ([prompt, error], { core }) => {
    const orchestrator = await core.startWorking()

    const task = await run(orchestrator, { model: 'acme/nano', prompt })

    expect(task).toMatchObject({ state: 'failed', attempt: 1, error: { ...error, retryable: false } })
    expect(core.backend.turns).toHaveLength(1)
  })

  test('keeps the answers before it, and goes on with the message that failed', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, {
      messages: [{ text: '@say: One' }, { text: '@status:503,6 @say: Two' }, { text: '@say: Three' }],
    })

    expect(task.result!.messages.map(({ text }) => text)).toEqual(['One', 'Two', 'Three'])
    expect(backend.ledger.paid()).toHaveLength(3)
  })

  test('a turn that somebody else aborted fails the task', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: '@hold:here' })
    await backend.holds.held('here')

    await backend.abort({ sessionID: 'ses_1', directory: undefined })

    const task = await finished(orchestrator, id)
    expect(task).toMatchObject({ state: 'failed', error: { code: 'turn_aborted', retryable: true } })
  })
})

describe('timeoutMs', () => {
  test('aborts the session and fails the task', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, { prompt: '@say: Start @hold:never', timeoutMs: 1_000 })

    expect(task).toMatchObject({ state: 'failed', error: { code: 'task_timeout', retryable: true } })
    expect(backend.aborts).toEqual(['ses_1'])
    expect(task.finishedAt! - task.startedAt!).toBeGreaterThanOrEqual(1_000)
    expect(textsOf(await itemsOf(orchestrator, task.id))).toEqual(['Start'])
  })

  test('of the route holds where the task names none', async ({ core: { startWorking, config } }) => {
    config.swap({
      routes: new Map([['lint', { tier: 'fast', model: null, timeoutMs: 1_000, maxCostMicroUsd: null }]]),
    })
    const orchestrator = await startWorking()

    const task = await run(orchestrator, { type: 'lint', prompt: '@hold:never' })

    expect(task.error).toMatchObject({ code: 'task_timeout', message: expect.stringContaining('1 s') })
  })

  test('begins no waiting for a try that would come too late', async ({ core: { startWorking } }) => {
    const retry = {
      maxTries: 3,
      backoffMs: 3_600_000,
      maxBackoffMs: 3_600_000,
      maxRetryAfterMs: 60_000,
      cooldownMs: 0,
      maxCooldownMs: 0,
    }
    const orchestrator = await startWorking({ retry })

    const task = await run(orchestrator, { model: 'acme/nano', prompt: '@status:503', timeoutMs: 1_000 })

    expect(task).toMatchObject({ attempt: 1, error: { code: 'retry_timeout', httpStatus: 503 } })
  })
})

describe('the table at dispatch', () => {
  test('decides the model, and the log says why it changed', async ({ core: { start, config, backend } }) => {
    const orchestrator = await start()
    const { id } = await orchestrator.tasks.submit({ type: 'lint', prompt: 'Lint it' })
    config.swap({ tiers: [{ name: 'fast', models: ['globex/fast'], concurrency: null }] })

    await orchestrator.startWorker()

    const task = await finished(orchestrator, id)
    expect(task).toMatchObject({ state: 'succeeded', model: 'globex/fast', route: { model: 'acme/nano' } })
    expect(backend.sessions).toMatchObject([{ model: 'globex/fast' }])
    expect(await itemsOf(orchestrator, id)).toContainEqual(
      expect.objectContaining({
        type: 'model-changed',
        from: 'acme/nano',
        to: 'globex/fast',
        reason: 'the routing table is at generation 2 now',
      }),
    )
  })

  test('leaves a pinned model alone', async ({ core: { start, config } }) => {
    const orchestrator = await start()
    const { id, queue } = await orchestrator.tasks.submit({ model: 'globex/deep', prompt: 'Think' })
    expect(queue).toBe('direct')
    config.swap({ tiers: [{ name: 'fast', models: ['globex/fast'], concurrency: null }] })

    await orchestrator.startWorker()

    const task = await finished(orchestrator, id)
    expect(task).toMatchObject({ state: 'succeeded', model: 'globex/deep' })
    expect(typesOf(await itemsOf(orchestrator, id))).not.toContain('model-changed')
  })
})

describe('several servers', () => {
  test('are used in turn, and a session stays where it is', async ({ core: { startWorking } }) => {
    const servers = [createMemoryBackend({ server: 's1' }), createMemoryBackend({ server: 's2' })]
    const orchestrator = await startWorking({ backends: servers })

    const tasks = await Promise.all(
      Array.from({ length: 6 }, () => run(orchestrator, { messages: [{ text: 'One' }, { text: 'Two' }] })),
    )

    expect(tasks.map(({ server }) => server).sort()).toEqual(['s1', 's1', 's1', 's2', 's2', 's2'])
    expect(servers.map(({ turns }) => turns.length)).toEqual([6, 6])
  })
})

test('a mistake in the code is told, and fails the delivery alone', async ({
  core: { startWorking, backend, records },
}) => {
  const broken = { ...backend, openSession: () => Promise.reject(new TypeError('x is not a function')) }
  const warnings: object[] = []
  const log = { info() {}, warn: (data: object) => void warnings.push(data) }
  const orchestrator = await startWorking({ backends: [broken], log })

  const { id } = await orchestrator.tasks.submit({ prompt: 'Hello' })

  const [queue] = orchestrator.board.queues()
  await eventually(async () => expect(await queue!.counts()).toMatchObject({ failed: 1 }))
  expect(warnings).toEqual([{ error: 'x is not a function' }])
  expect(await records.read(id)).toMatchObject({ state: 'running', attempt: 1 })
})
