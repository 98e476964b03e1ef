import { describe, expect } from 'vitest'
import { finished, itemsOf, run, test, textsOf, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

const PINNED = { model: 'acme/nano' } as const
const NANO_FAILS = '@status:503 @on:acme/nano'

describe('a model that fails', () => {
  test('is left for the next of its tier; the log says so before any new text', async ({
    core: { startWorking, backend, records },
  }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, {
      tier: 'fast',
      prompt: `@say: Well. @usage:1000,100\n@tool bash {"command":"ls"}\n@usage:1000,100 ${NANO_FAILS}`,
    })

    expect(task).toMatchObject({ state: 'succeeded', model: 'acme/mini', attempt: 1 })
    expect(task.result!.messages).toMatchObject([{ model: 'acme/mini' }])
    expect(backend.sessions).toHaveLength(1)
    expect(backend.turns.map(({ model }) => model)).toEqual(['acme/nano', 'acme/mini'])
    const items = await itemsOf(orchestrator, task.id)
    const types = typesOf(items)
    const changed = types.indexOf('model-changed')
    expect(items[changed]).toMatchObject({
      from: 'acme/nano',
      to: 'acme/mini',
      reason: expect.stringContaining('provider fails'),
    })
    expect(types.indexOf('text-discarded')).toBeLessThan(changed)
    expect(types.lastIndexOf('text-delta')).toBeGreaterThan(changed)
    expect(types.filter((type) => type === 'model-changed')).toHaveLength(1)
    expect(textsOf(items)).toEqual(['Well.', 'Done.'])
    expect(await records.read(task.id)).toMatchObject({ model: 'acme/mini' })
    const paid = backend.ledger.paid().reduce((sum, entry) => sum + entry.costMicroUsd, 0)
    expect(task.costMicroUsd).toBe(paid)
  })

  test('is left for the rest of the task, but a message that names it still gets it', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, {
      tier: 'fast',
      messages: [{ text: NANO_FAILS }, { text: 'Two' }, { text: 'Three', model: 'acme/nano' }],
    })

    expect(task).toMatchObject({ state: 'succeeded', model: 'acme/mini' })
    expect(backend.turns.map(({ model }) => model)).toEqual([
      'acme/nano',
      'acme/mini',
      'acme/mini',
      'acme/nano',
    ])
  })

  test('and all others of its tier end the task, each tried', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, { tier: 'fast', prompt: '@status:503' })

    expect(task.error).toMatchObject({ code: 'provider_error', model: 'acme/mini', httpStatus: 503 })
    expect(backend.turns.map(({ model }) => model)).toEqual([
      'acme/nano',
      'acme/mini',
      'acme/mini',
      'acme/mini',
    ])
  })

  test('is left at once when it refuses the credentials', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, { tier: 'fast', prompt: '@status:401' })

    expect(task.error).toMatchObject({ code: 'provider_auth', model: 'acme/mini' })
    expect(backend.turns).toHaveLength(2)
  })

  test('is left for no other when it is pinned, by the task or by its message', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()

    const pinned = await run(orchestrator, { ...PINNED, prompt: '@status:503' })
    const message = await run(orchestrator, { messages: [{ text: '@status:503', model: 'acme/nano' }] })

    expect(pinned.error).toMatchObject({ code: 'provider_error', model: 'acme/nano' })
    expect(message.error).toMatchObject({ code: 'provider_error', model: 'acme/nano' })
    expect(backend.turns.map(({ model }) => model)).toEqual(Array(6).fill('acme/nano'))
  })
})

describe('a provider that asks to wait', () => {
  test('for long loses the task to the next model; OpenCode is not left waiting', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, { tier: 'fast', prompt: '@status:429,1 @ra:3600 @say: Done' })

    expect(task).toMatchObject({ state: 'succeeded', model: 'acme/mini' })
    expect(backend.aborts).toEqual(['ses_1'])
    expect(backend.turns.map(({ model }) => model)).toEqual(['acme/nano', 'acme/mini'])
    expect(new Set(backend.turns.map(({ messageID }) => messageID)).size).toBe(2)
  })

  test('for longer than a pinned task may wait ends it at once', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()

    const task = await run(orchestrator, { ...PINNED, prompt: '@status:429 @ra:3600' })

    expect(task.error).toMatchObject({ code: 'retry_timeout', retryable: true, model: 'acme/nano' })
    expect(backend.aborts).toEqual(['ses_1'])
  })

  test('is given the time, in the queue and not in a slot, where there is no other model', async ({
    core: { startWorking, backend },
  }) => {
    const retry = {
      maxTries: 3,
      backoffMs: 10,
      maxBackoffMs: 100,
      maxRetryAfterMs: 1_000,
      cooldownMs: 0,
      maxCooldownMs: 0,
    }
    const orchestrator = await startWorking({ retry })

    const { id } = await orchestrator.tasks.submit({ ...PINNED, prompt: '@status:429,1 @ra:2 @say: Done' })
    await eventually(async () => expect((await orchestrator.tasks.get(id)).state).toBe('delayed'))

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded', attempt: 2 })
    expect(backend.aborts).toEqual(['ses_1'])
  })
})

describe('a worker that takes over', () => {
  test('from one that had decided to cut a turn reads its end and goes on with the decision', async ({
    core,
    redis: { keys },
  }) => {
    const { backend, records, log } = core
    const orchestrator = await core.start()
    const worker = await orchestrator.startWorker()
    const { id } = await orchestrator.tasks.submit({ tier: 'fast', prompt: '@say: A @hold:here' })
    await backend.holds.held('here')
    await eventually(async () => expect(textsOf(await log(id))).toEqual(['A']))
    await worker.close()
    const { checkpoint } = (await records.read(id))!
    const cut = { code: 'stream_silent', message: 'nothing was heard' }
    await core.redis.hset(keys.task(id), 'checkpoint', JSON.stringify({ ...checkpoint, cut }))

    await orchestrator.startWorker()
    await eventually(() => expect(backend.turns).toHaveLength(3))
    backend.holds.release('here')

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded', model: 'acme/mini' })
    expect(backend.aborts).toEqual(['ses_1'])
    expect(backend.turns.map(({ model }) => model)).toEqual(['acme/nano', 'acme/nano', 'acme/mini'])
    expect(textsOf(await itemsOf(orchestrator, id))).toEqual(['A'])
  })
})
