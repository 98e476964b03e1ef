import { describe, expect } from 'vitest'
import type { RouteRule } from '../../src/routing/table.ts'
import { createMemoryConfig } from '../doubles/memory-config.ts'
import { finished, itemsOf, run, test, textsOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

const PINNED = { model: 'acme/nano' } as const
const ONE_TRY = {
  maxTries: 1,
  backoffMs: 10,
  maxBackoffMs: 100,
  maxRetryAfterMs: 60_000,
  cooldownMs: 0,
  maxCooldownMs: 0,
}

describe('maxSteps', () => {
  test('ends a turn that would never end', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking({ config: createMemoryConfig({ maxSteps: 7 }) })

    const task = await run(orchestrator, { prompt: '@nofinish @say: Again' })

    expect(task).toMatchObject({ state: 'failed', attempt: 1 })
    expect(task.error).toMatchObject({ code: 'too_many_steps', retryable: false, model: 'acme/nano' })
    expect(backend.aborts).toEqual(['ses_1'])
    expect(backend.turns).toHaveLength(1)
    expect(task.costMicroUsd).toBeGreaterThan(0)
  })

  test('lets a turn take all of its steps', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking({ config: createMemoryConfig({ maxSteps: 2 }) })

    const task = await run(orchestrator, { prompt: '@tool bash {"command":"ls"}\n@say: Two' })

    expect(task.state).toBe('succeeded')
    expect(backend.aborts).toEqual([])
  })
})

describe('silenceMs', () => {
  test.for(['@say: Start @stall', '@hang'])('ends a turn that says nothing: %s', async (prompt, { core }) => {
    const config = createMemoryConfig({ silenceMs: 50 })
    const orchestrator = await core.startWorking({ config, retry: ONE_TRY })

    const task = await run(orchestrator, { ...PINNED, prompt })

    expect(task.error).toMatchObject({ code: 'stream_silent', retryable: true, model: 'acme/nano' })
    expect(core.backend.aborts).toEqual(['ses_1'])
  })

  test('hands the message to the next model of the tier', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking({ config: createMemoryConfig({ silenceMs: 50 }) })

    const task = await run(orchestrator, { tier: 'fast', prompt: '@say: Start @on:acme/nano @stall' })

    expect(task).toMatchObject({ state: 'succeeded', model: 'acme/mini' })
    expect(textsOf(await itemsOf(orchestrator, task.id))).toEqual(['Start'])
    expect(backend.aborts).toEqual(['ses_1'])
  })

  test('does not count what streams while nobody can show it', async ({ core: { start, backend, log } }) => {
    const config = createMemoryConfig({ silenceMs: 1_000 })
    const orchestrator = await start({ config })
    const worker = await orchestrator.startWorker()
    const { id } = await orchestrator.tasks.submit({ prompt: '@say: Go @hold:here @chunk:100 @words:20' })
    await backend.holds.held('here')
    await eventually(async () => expect(textsOf(await log(id))).toEqual(['Go']))
    await worker.close()

    await orchestrator.startWorker()
    await eventually(() => expect(backend.turns).toHaveLength(2))
    backend.holds.release('here')

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
  })
})

describe('queueTimeoutMs', () => {
  test('fails what a worker takes too late, and spends nothing', async ({ core: { start, backend } }) => {
    const config = createMemoryConfig({ queueTimeoutMs: 50 })
    const orchestrator = await start({ config })
    const { id } = await orchestrator.tasks.submit({ prompt: 'Hello' })
    const { createdAt } = await orchestrator.tasks.get(id)
    await eventually(() => expect(Date.now() - createdAt).toBeGreaterThan(50))

    await orchestrator.startWorker()

    expect(await finished(orchestrator, id)).toMatchObject({
      state: 'failed',
      error: { code: 'queue_timeout', retryable: true },
    })
    expect(backend.sessions).toEqual([])
  })

  test('leaves the delay of a task out, and begins anew at a retry', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking({ config: createMemoryConfig({ queueTimeoutMs: 1_000 }) })

    const task = await run(orchestrator, { prompt: 'Hello', delayMs: 1_200 })
    expect(task).toMatchObject({ state: 'succeeded' })

    await orchestrator.tasks.retry(task.id)
    expect(await finished(orchestrator, task.id)).toMatchObject({ state: 'succeeded' })
  })
})

describe('a limit of the route', () => {
  test('beats the general one', async ({ core: { startWorking, config } }) => {
    const rule: RouteRule = { tier: 'fast', model: null, timeoutMs: null, maxCostMicroUsd: null, maxSteps: 3 }
    config.swap({ routes: new Map([['lint', rule]]) })
    const orchestrator = await startWorking()

    const task = await run(orchestrator, { type: 'lint', prompt: '@nofinish' })

    expect(task.error).toMatchObject({
      code: 'too_many_steps',
      message: expect.stringContaining('limit is 3'),
    })
  })
})
