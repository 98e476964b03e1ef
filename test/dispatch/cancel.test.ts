import { describe, expect, onTestFinished } from 'vitest'
import { CANCELLED } from '../records/records-test.ts'
import { startRedisProxy } from '../redis/redis-proxy.ts'
import { finished, itemsOf, test, textsOf, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

describe('cancel()', () => {
  test.for([
    ['waiting', {}],
    ['delayed', { delayMs: 3_600_000 }],
  ] as const)('ends a %s task at once, without a session or a job', async ([state, input], { core }) => {
    const orchestrator = await core.start()
    const { id } = await orchestrator.tasks.submit({ prompt: 'Hello', ...input })
    expect((await orchestrator.tasks.get(id)).state).toBe(state)

    const task = await orchestrator.tasks.cancel(id)

    expect(task).toMatchObject({
      state: 'cancelled',
      attempt: 0,
      error: { code: 'cancelled', retryable: false },
    })
    expect(typesOf(await itemsOf(orchestrator, id))).toEqual([
      'task-queued',
      'task-routed',
      'task-finished',
      'end',
    ])
    const [queue] = orchestrator.board.queues()
    expect(Object.values(await queue!.counts())).toEqual([0, 0, 0, 0, 0, 0])
    expect(core.backend.sessions).toEqual([])
    expect(await orchestrator.tasks.cancel(id)).toEqual(task)
  })

  test('aborts the session of a streaming task once, and keeps what it said', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: '@say: Half a sentence @hold:here' })
    await backend.holds.held('here')

    await orchestrator.tasks.cancel(id)
    await orchestrator.tasks.cancel(id)

    const task = await finished(orchestrator, id)
    expect(task).toMatchObject({ state: 'cancelled', result: null, error: { code: 'cancelled' } })
    expect(backend.aborts).toEqual(['ses_1'])
    const items = await itemsOf(orchestrator, id)
    expect(textsOf(items)).toEqual(['Half a sentence'])
    expect(items.at(-1)).toEqual({ type: 'end', state: 'cancelled' })
  })

  test('books what was spent before it', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({
      prompt: '@say: One\n@tool bash {"command":"ls"}\n@hold:here',
    })
    await backend.holds.held('here')

    await orchestrator.tasks.cancel(id)

    const task = await finished(orchestrator, id)
    expect(task.costMicroUsd).toBe(backend.ledger.paid()[0]!.costMicroUsd)
    expect(task.costMicroUsd).toBeGreaterThan(0)
  })

  test('between two messages sends no further one', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ messages: [{ text: '@hold:here' }, { text: 'More' }] })
    await backend.holds.held('here')

    await orchestrator.tasks.cancel(id)
    await finished(orchestrator, id)

    expect(backend.turns).toHaveLength(1)
  })

  test('reaches a worker in another process', async ({ core: { start, startWorking, backend } }) => {
    const [producer] = [await start(), await startWorking()]
    const { id } = await producer.tasks.submit({ prompt: '@hold:here' })
    await backend.holds.held('here')

    await producer.tasks.cancel(id)

    expect(await finished(producer, id)).toMatchObject({ state: 'cancelled' })
  })

  test('reaches a worker that was cut off when it was asked', async ({ core, redis: { url } }) => {
    const proxy = await startRedisProxy(url)
    onTestFinished(proxy.stop)
    const worker = await core.startWorking({ redisUrl: proxy.url })
    const { id } = await worker.tasks.submit({ prompt: '@hold:here' })
    await core.backend.holds.held('here')

    await proxy.goAway()
    await core.records.cancel(id, Date.now(), CANCELLED)
    await proxy.comeBack()

    await eventually(async () => expect((await core.records.read(id))!.state).toBe('cancelled'))
    expect(core.backend.aborts).toEqual(['ses_1'])
  })

  test('of a task that was handed over aborts its session, which no worker has', async ({
    core: { start, backend, records },
  }) => {
    const orchestrator = await start()
    const worker = await orchestrator.startWorker()
    const { id } = await orchestrator.tasks.submit({ prompt: '@hold:here' })
    await backend.holds.held('here')
    await worker.close()
    expect(await records.read(id)).toMatchObject({ state: 'waiting', sessionID: 'ses_1' })

    const task = await orchestrator.tasks.cancel(id)

    expect(task.state).toBe('cancelled')
    await eventually(() => expect(backend.aborts).toEqual(['ses_1']))
  })

  test('does not wait for a server that does not say what it offers', async ({
    core: { start, startWorking, backend },
  }) => {
    const producer = await start()
    const silent = { ...backend, catalog: () => new Promise<never>(() => {}) }
    await startWorking({ backends: [silent] })
    const { id } = await producer.tasks.submit({ prompt: 'Hello' })
    await eventually(async () => expect((await producer.tasks.get(id)).state).toBe('running'))

    await producer.tasks.cancel(id)

    expect(await finished(producer, id)).toMatchObject({ state: 'cancelled' })
    expect(backend.sessions).toEqual([])
  })

  test('while the session is opened sends nothing', async ({ core: { startWorking, backend } }) => {
    const opening = Promise.withResolvers<void>()
    const openSession = (_request: unknown, signal: AbortSignal) => {
      opening.resolve()
      return new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }
    const orchestrator = await startWorking({ backends: [{ ...backend, openSession }] })
    const { id } = await orchestrator.tasks.submit({ prompt: 'Hello' })
    await opening.promise

    await orchestrator.tasks.cancel(id)

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'cancelled', attempt: 1 })
    expect(backend.turns).toEqual([])
  })

  test('during a backoff ends the task at once', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking({
      retry: {
        maxTries: 3,
        backoffMs: 20_000,
        maxBackoffMs: 20_000,
        maxRetryAfterMs: 60_000,
        cooldownMs: 0,
        maxCooldownMs: 0,
      },
    })
    const { id } = await orchestrator.tasks.submit({ model: 'acme/nano', prompt: '@status:503,6' })
    await eventually(async () => expect((await orchestrator.tasks.get(id)).state).toBe('delayed'))

    expect(await orchestrator.tasks.cancel(id)).toMatchObject({ state: 'cancelled' })
    expect(backend.turns).toHaveLength(1)
  })

  test('knows no task that is gone', async ({ core: { start } }) => {
    const orchestrator = await start()

    await expect(orchestrator.tasks.cancel('tsk_none')).rejects.toMatchObject({ code: 'task_not_found' })
  })
})
