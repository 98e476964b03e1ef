import { describe, expect } from 'vitest'
import { createMemoryBackend } from '../doubles/memory-backend.ts'
import { claimOptions } from '../records/records-test.ts'
import { finished, itemsOf, run, test, textsOf, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

describe('a worker that is closed', () => {
  test('hands a streaming task over; the next one goes on with the same message, repeats nothing, pays once', async ({
    core: { start, backend, records, log },
  }) => {
    const [first, second] = [await start(), await start()]
    const worker = await first.startWorker()
    const { id } = await first.tasks.submit({ prompt: '@say: Once upon a @hold:here @say: time' })
    await backend.holds.held('here')
    await eventually(async () => expect(textsOf(await log(id))).toEqual(['Once upon a']))

    await worker.close()
    expect(await records.read(id)).toMatchObject({ state: 'waiting', attempt: 1 })
    await second.startWorker()
    // It has joined the turn, and so cannot know what came before.
    await eventually(async () => expect(typesOf(await log(id))).toContain('stream-lagging'))
    backend.holds.release('here')

    const task = await finished(second, id)
    expect(task).toMatchObject({ state: 'succeeded', attempt: 2 })
    expect(task.result!.text).toBe('Once upon a time')
    expect(backend.sessions).toHaveLength(1)
    expect(new Set(backend.turns.map(({ messageID }) => messageID)).size).toBe(1)
    expect(backend.turns[0]).toEqual(backend.turns[1])
    expect(backend.ledger.paid()).toHaveLength(1)
    expect(backend.aborts).toEqual([])
    const items = await itemsOf(second, id)
    expect(textsOf(items)).toEqual(['Once upon a time'])
    expect(typesOf(items).filter((type) => type === 'attempt-started')).toHaveLength(2)
    expect(typesOf(items).filter((type) => type === 'message-sent')).toHaveLength(1)
    expect(typesOf(items)).not.toContain('text-discarded')
  })

  test('books what a turn has come to, and once, though it goes on elsewhere', async ({
    core: { start, backend, records, log },
  }) => {
    const orchestrator = await start()
    const worker = await orchestrator.startWorker()
    const { id } = await orchestrator.tasks.submit({
      prompt: '@say: One\n@tool bash {"command":"ls"}\n@hold:here @say: Two',
    })
    await eventually(async () => expect(typesOf(await log(id))).toContain('tool-finished'))

    await worker.close()
    expect(await records.read(id)).toMatchObject({
      state: 'waiting',
      spent: [],
      turnSpent: [{ model: 'acme/nano', costMicroUsd: backend.ledger.paid()[0]!.costMicroUsd }],
    })
    await orchestrator.startWorker()
    backend.holds.release('here')

    const task = await finished(orchestrator, id)
    const paid = backend.ledger.paid().reduce((sum, entry) => sum + entry.costMicroUsd, 0)
    expect(task.costMicroUsd).toBe(paid)
    expect(textsOf(await itemsOf(orchestrator, id))).toEqual(['One', 'Two'])
  })

  test('lets what runs come to its end when it is given time', async ({ core: { start, backend } }) => {
    const orchestrator = await start()
    const worker = await orchestrator.startWorker()
    const { id } = await orchestrator.tasks.submit({ prompt: '@hold:here @say: Done' })
    const next = await orchestrator.tasks.submit({ prompt: 'Later', delayMs: 3_600_000 })
    await backend.holds.held('here')

    const closed = worker.close(60_000)
    backend.holds.release('here')
    await closed

    expect(await orchestrator.tasks.get(id)).toMatchObject({ state: 'succeeded', attempt: 1 })
    expect(await orchestrator.tasks.get(next.id)).toMatchObject({ state: 'delayed' })
  })

  test('may be closed twice, and the orchestrator after it', async ({ core: { start } }) => {
    const orchestrator = await start()
    const worker = await orchestrator.startWorker()
    await run(orchestrator, { prompt: 'Hello' })

    await worker.close()
    await worker.close()
    await orchestrator.close()
    await orchestrator.close()
  })
})

describe('a zombie', () => {
  test('writes nothing and aborts nothing once another worker has its task', async ({
    core: { startWorking, backend, records, log },
  }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: '@say: Mine @hold:here @say: still' })
    await backend.holds.held('here')
    await eventually(async () => expect((await records.read(id))!.seq).toBe(6))
    const [queue] = orchestrator.board.queues()

    // Its job is taken to be dead, and another worker claims the task.
    await records.claim(id, claimOptions())
    const before = [await records.read(id), await log(id)]
    backend.holds.release('here')
    await eventually(async () => expect(await queue!.counts()).toMatchObject({ active: 0, completed: 1 }))

    expect([await records.read(id), await log(id)]).toEqual(before)
    expect(await records.read(id)).toMatchObject({ state: 'running', fence: 2 })
    expect(backend.aborts).toEqual([])
  })

  test('aborts nothing when its task is cancelled', async ({ core: { startWorking, backend, records } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: '@say: Mine @hold:here' })
    await backend.holds.held('here')
    await eventually(async () => expect((await records.read(id))!.seq).toBe(6))
    const [queue] = orchestrator.board.queues()

    await records.claim(id, claimOptions())
    await orchestrator.tasks.cancel(id)
    await eventually(async () => expect(await queue!.counts()).toMatchObject({ active: 0, completed: 1 }))

    expect(await records.read(id)).toMatchObject({ state: 'running', fence: 2 })
    expect(backend.aborts).toEqual([])
  })
})

describe('OpenCode away', () => {
  test('puts a task off until it is back', async ({ core: { startWorking, backend, records } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: '@say: First of all' })
    await finished(orchestrator, id)
    backend.setAway(true)

    const waiting = await orchestrator.tasks.submit({ prompt: '@say: Back again' })
    await eventually(async () => expect((await records.read(waiting.id))!.attempt).toBeGreaterThan(2))
    backend.setAway(false)

    const task = await finished(orchestrator, waiting.id)
    expect(task).toMatchObject({ state: 'succeeded' })
    expect(backend.ledger.paid()).toHaveLength(2)
  })

  test('in the middle of a turn loses nothing', async ({ core: { startWorking, backend, records } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: '@say: Hello @hold:here @say: there' })
    await backend.holds.held('here')
    await eventually(async () => expect((await records.read(id))!.seq).toBe(6))

    backend.setAway(true)
    backend.loseTurns()
    await eventually(async () => expect((await records.read(id))!.attempt).toBeGreaterThan(1))
    backend.holds.release('here')
    backend.setAway(false)

    const task = await finished(orchestrator, id)
    expect(task.result!.text).toBe('Hello there')
    expect(new Set(backend.turns.map(({ messageID }) => messageID)).size).toBe(1)
    const items = await itemsOf(orchestrator, id)
    expect(textsOf(items)).toEqual(['Hello there'])
    expect(items).toContainEqual(expect.objectContaining({ type: 'text-discarded', reason: 'resume' }))
  })

  test('for longer than the task may take ends it', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    await run(orchestrator, { prompt: 'So that the catalog is known' })
    backend.setAway(true)

    const task = await run(orchestrator, { prompt: 'Hello', timeoutMs: 1_000 })

    expect(task).toMatchObject({ state: 'failed', error: { code: 'task_timeout' } })
  })

  test('does not keep a cancel from being done', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: '@hold:here' })
    await backend.holds.held('here')

    backend.setAway(true)
    await orchestrator.tasks.cancel(id)

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'cancelled' })
  })

  test('for good, since this worker does not know the server, says that the outcome is uncertain', async ({
    core: { start, backend, records },
  }) => {
    const first = await start()
    const worker = await first.startWorker()
    const { id } = await first.tasks.submit({ prompt: '@hold:here', timeoutMs: 2_000 })
    await backend.holds.held('here')
    await worker.close()

    const second = await start({ backends: [createMemoryBackend({ server: 'another' })] })
    await second.startWorker()

    expect(await finished(second, id)).toMatchObject({
      state: 'failed',
      error: { code: 'outcome_uncertain', message: expect.stringContaining('"memory"') },
    })
    expect((await records.read(id))!.attempt).toBeGreaterThan(1)
  })
})

describe('a take-over', () => {
  test('in the middle of several messages keeps the answers, and goes on with the one in flight', async ({
    core: { start, backend },
  }) => {
    const orchestrator = await start()
    const workers = [await orchestrator.startWorker()]
    const { id } = await orchestrator.tasks.submit({
      messages: [
        { text: '@hold:first @say: One' },
        { text: '@hold:second @say: Two', model: 'acme/big' },
        { text: '@hold:third @say: Three' },
      ],
    })
    for (const hold of ['first', 'second', 'third']) {
      await backend.holds.held(hold)
      await workers.at(-1)!.close()
      workers.push(await orchestrator.startWorker())
      backend.holds.release(hold)
    }

    const task = await finished(orchestrator, id)
    expect(task.result!.messages.map(({ model, text }) => `${model} ${text}`)).toEqual([
      'acme/nano One',
      'acme/big Two',
      'acme/nano Three',
    ])
    expect(new Set(backend.turns.map(({ messageID }) => messageID)).size).toBe(3)
    expect(backend.sessions).toHaveLength(1)
    expect(backend.ledger.paid()).toHaveLength(3)
    expect(textsOf(await itemsOf(orchestrator, id))).toEqual(['One', 'Two', 'Three'])
  })

  test('finds each task on its own server and in its own directory', async ({ core: { start } }) => {
    const servers = [createMemoryBackend({ server: 's1' }), createMemoryBackend({ server: 's2' })]
    const first = await start({ backends: servers })
    const worker = await first.startWorker()
    const directories = ['/srv/a', '/srv/b', '/srv/c', '/srv/d']
    const ids = await Promise.all(
      directories.map(async (directory, index) => {
        const prompt = `@say: ${directory} @hold:hold-${index} @say: end`
        return (await first.tasks.submit({ prompt, directory })).id
      }),
    )
    await Promise.all(
      directories.map((_, index) => Promise.race(servers.map(({ holds }) => holds.held(`hold-${index}`)))),
    )
    await worker.close()

    // The same servers, named in another order.
    const second = await start({ backends: [...servers].reverse() })
    await second.startWorker()
    for (const { holds } of servers) for (const index of directories.keys()) holds.release(`hold-${index}`)

    const tasks = await Promise.all(ids.map((id) => finished(second, id)))
    expect(tasks.map(({ result }) => result!.text)).toEqual(directories.map((one) => `${one} end`))
    for (const { server, sessions, turns, ledger } of servers) {
      expect(sessions).toHaveLength(2)
      expect(turns).toHaveLength(4)
      expect(ledger.paid()).toHaveLength(2)
      for (const turn of turns)
        expect(sessions.find(({ sessionID }) => sessionID === turn.sessionID)!.directory).toBe(turn.directory)
      expect(tasks.filter((task) => task.server === server)).toHaveLength(2)
    }
  })

  test('from a server that has lost the session says that the outcome is uncertain, and pays nothing', async ({
    core: { start, backend },
  }) => {
    const orchestrator = await start()
    const worker = await orchestrator.startWorker()
    const { id } = await orchestrator.tasks.submit({ prompt: '@say: Some @hold:here' })
    await backend.holds.held('here')
    await worker.close()
    const asked = backend.ledger.entries().length

    backend.forgetSessions()
    await orchestrator.startWorker()

    expect(await finished(orchestrator, id)).toMatchObject({
      state: 'failed',
      error: { code: 'outcome_uncertain', retryable: false },
    })
    expect(backend.ledger.entries()).toHaveLength(asked)
    expect(backend.sessions).toHaveLength(1)
  })
})

describe('a task that breaks its worker', () => {
  test('is failed at the next delivery, and disturbs no other', async ({ core: { start, records } }) => {
    const orchestrator = await start()
    const { id } = await orchestrator.tasks.submit({ prompt: 'Poison' })
    for (let count = 0; count < 5; count += 1) await records.claim(id, claimOptions())

    await orchestrator.startWorker()

    expect(await finished(orchestrator, id)).toMatchObject({
      state: 'failed',
      error: {
        code: 'too_many_deliveries',
        retryable: false,
        lostWorkers: Array.from({ length: 5 }, (_, n) => ({
          worker: 'worker',
          attempt: n + 1,
          lostAt: expect.any(Number),
        })),
      },
    })
    expect(await run(orchestrator, { prompt: 'Fine' })).toMatchObject({ state: 'succeeded' })
    const [queue] = orchestrator.board.queues()
    await eventually(async () => expect(await queue!.counts()).toMatchObject({ completed: 1, failed: 1 }))
    await orchestrator.tasks.retry(id)
    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
  })
})
