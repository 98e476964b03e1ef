import { describe, expect } from 'vitest'
import { finished, itemsOf, run, test, textsOf, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

describe('retry()', () => {
  test('runs the same task once more, in a new session with new messages', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()
    const first = await run(orchestrator, { messages: [{ text: '@say: One' }, { text: '@say: Two' }] })

    const waiting = await orchestrator.tasks.retry(first.id)
    expect(['waiting', 'running', 'succeeded']).toContain(waiting.state)
    const second = await finished(orchestrator, first.id)

    expect(second).toMatchObject({ id: first.id, state: 'succeeded', attempt: 2, sessionID: 'ses_2' })
    expect(second.result!.messages.map(({ text }) => text)).toEqual(['One', 'Two'])
    expect(second.costMicroUsd).toBe(2 * first.costMicroUsd)
    expect(new Set(backend.turns.map(({ messageID }) => messageID)).size).toBe(4)
    const types = typesOf(await itemsOf(orchestrator, first.id))
    expect(types.filter((type) => type === 'task-finished')).toHaveLength(2)
    expect(types).toContain('task-retried')
    expect(types.at(-1)).toBe('end')
  })

  test('is delivered at once, however soon after the end it comes', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    let { id } = await orchestrator.tasks.submit({ prompt: 'Hello' })
    for (let count = 1; count <= 20; count += 1) {
      const task = await finished(orchestrator, id)
      expect(task).toMatchObject({ state: 'succeeded', attempt: count })
      id = (await orchestrator.tasks.retry(id)).id
    }
    expect((await finished(orchestrator, id)).attempt).toBe(21)
  })

  test('of a cancelled task that was delayed starts now', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: 'Hello', delayMs: 3_600_000 })
    await orchestrator.tasks.cancel(id)

    await orchestrator.tasks.retry(id)

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded', error: null })
  })

  test('is routed by the table in force', async ({ core: { startWorking, config } }) => {
    const orchestrator = await startWorking()
    const first = await run(orchestrator, { type: 'lint', prompt: '@overflow' })
    config.swap({
      routes: new Map([['lint', { tier: 'powerful', model: null, timeoutMs: null, maxCostMicroUsd: null }]]),
    })

    const retried = await orchestrator.tasks.retry(first.id)

    expect(retried).toMatchObject({ tier: 'powerful', queue: 'powerful', model: 'acme/big' })
    expect(await finished(orchestrator, first.id)).toMatchObject({ state: 'failed', model: 'acme/big' })
  })

  test('shows the text of the second run beside that of the first', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    const { id } = await run(orchestrator, { prompt: '@say: Hello' })
    await orchestrator.tasks.retry(id)
    await finished(orchestrator, id)

    expect(textsOf(await itemsOf(orchestrator, id))).toEqual(['Hello', 'Hello'])
  })

  test('is refused while the task is not over', async ({ core: { start } }) => {
    const orchestrator = await start()
    const { id } = await orchestrator.tasks.submit({ prompt: 'Hello' })

    await expect(orchestrator.tasks.retry(id)).rejects.toMatchObject({
      code: 'not_finished',
      errors: [{ field: 'state', given: 'waiting', allowed: ['succeeded', 'failed', 'cancelled'] }],
    })
    await expect(orchestrator.tasks.retry('tsk_none')).rejects.toMatchObject({ code: 'task_not_found' })
  })
})

describe('remove()', () => {
  test('takes record, log and job, however soon after the end it comes', async ({
    core: { startWorking, redis },
    redis: { keys },
  }) => {
    const orchestrator = await startWorking()
    for (let count = 0; count < 5; count += 1) {
      const { id } = await run(orchestrator, { prompt: 'Hello' })
      await orchestrator.tasks.remove(id)

      await expect(orchestrator.tasks.get(id)).rejects.toMatchObject({ code: 'task_not_found' })
      expect(await redis.exists(keys.task(id), keys.log(id), `${keys.queuePrefix}:fast:${id}`)).toBe(0)
    }
    const queue = orchestrator.board.queues()[0]!
    await eventually(async () => expect(Object.values(await queue.counts())).toEqual([0, 0, 0, 0, 0, 0]))
  })

  test('is refused while the task is not over', async ({ core: { start } }) => {
    const orchestrator = await start()
    const { id } = await orchestrator.tasks.submit({ prompt: 'Hello' })

    await expect(orchestrator.tasks.remove(id)).rejects.toMatchObject({ code: 'not_finished' })
    await expect(orchestrator.tasks.remove('tsk_none')).rejects.toMatchObject({ code: 'task_not_found' })
  })
})

describe('promote()', () => {
  test('leaves a task alone that is not delayed', async ({ core: { start, startWorking } }) => {
    const orchestrator = await start()
    const { id } = await orchestrator.tasks.submit({ prompt: 'Hello' })

    expect(await orchestrator.tasks.promote(id)).toMatchObject({ state: 'waiting' })
    const worker = await startWorking()
    await finished(worker, id)
    expect(await orchestrator.tasks.promote(id)).toMatchObject({ state: 'succeeded' })
    await expect(orchestrator.tasks.promote('tsk_none')).rejects.toMatchObject({ code: 'task_not_found' })
  })
})

describe('a handle', () => {
  test('gives the result of a task however it ended', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    const good = await orchestrator.tasks.submit({ prompt: '@say: Hello' })
    const bad = await orchestrator.tasks.submit({ prompt: '@overflow' })

    expect(await orchestrator.handle(good.id).result()).toMatchObject({
      id: good.id,
      state: 'succeeded',
      result: { text: 'Hello' },
      error: null,
    })
    expect(await orchestrator.handle(bad.id).result()).toMatchObject({
      state: 'failed',
      error: { code: 'context_overflow' },
    })
  })

  test('waits no longer than it is told to', async ({ core: { start } }) => {
    const orchestrator = await start()
    const { id } = await orchestrator.tasks.submit({ prompt: 'Hello' })
    const handle = orchestrator.handle(id)

    await expect(handle.result({ timeoutMs: 0 })).rejects.toMatchObject({ code: 'not_finished' })
    await expect(handle.result({ timeoutMs: 0.5 })).rejects.toMatchObject({
      code: 'not_finished',
      message: expect.stringContaining('it is waiting; it goes on'),
    })
    const stop = new AbortController()
    const result = handle.result({ signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(result).rejects.toThrow('enough')
    await expect(orchestrator.handle('tsk_none').result()).rejects.toMatchObject({ code: 'task_not_found' })
  })

  test('waits for longer than a timer can hold', async ({ core: { start, startWorking } }) => {
    const orchestrator = await start()
    const { id } = await orchestrator.tasks.submit({ prompt: 'Hello' })

    const result = orchestrator.handle(id).result({ timeoutMs: 2 ** 40 })
    await startWorking()

    expect(await result).toMatchObject({ state: 'succeeded' })
  })

  test('lets go who waits or reads when all is closed', async ({ core: { start } }) => {
    const orchestrator = await start()
    const { id } = await orchestrator.tasks.submit({ prompt: 'Hello' })
    const handle = orchestrator.handle(id)
    const seen: string[] = []
    const reading = (async () => {
      for await (const { type } of handle.events()) seen.push(type)
    })()
    const result = handle.result().catch((error) => error)
    await eventually(() => expect(seen).toHaveLength(2))

    await orchestrator.close()

    await reading
    expect(await result).toMatchObject({ code: 'not_finished' })
  })
})
