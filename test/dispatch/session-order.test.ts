import { describe, expect } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import type { SessionBackend } from '../../src/sessions/backend.ts'
import { finished, itemsOf, run, test, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

describe('a task with a sessionID', () => {
  test('goes on in that session, in its directory and on its server', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()
    const first = await run(orchestrator, { prompt: 'Hello', directory: '/work' })

    const second = await run(orchestrator, {
      prompt: 'And now?',
      sessionID: first.sessionID!,
      model: 'acme/big',
    })

    expect(second).toMatchObject({
      state: 'succeeded',
      sessionID: first.sessionID,
      directory: '/work',
      server: 'memory',
      model: 'acme/big',
    })
    expect(backend.sessions).toHaveLength(1)
    expect(backend.turns.map(({ directory }) => directory)).toEqual(['/work', '/work'])
    expect(typesOf(await itemsOf(orchestrator, second.id))).not.toContain('task-parked')
  })

  test('waits for its turn without a slot, says so, and uses no attempt', async ({
    core,
    redis: { keys },
  }) => {
    const orchestrator = await core.startWorking({ workerConcurrency: 1 })
    const { sessionID } = await run(orchestrator, { prompt: 'Hello' })
    const first = await orchestrator.tasks.submit({ prompt: '@hold:here', sessionID: sessionID! })
    await core.backend.holds.held('here')
    const second = await orchestrator.tasks.submit({
      prompt: 'Next',
      sessionID: sessionID!,
      tier: 'powerful',
    })

    await eventually(async () =>
      expect(await orchestrator.tasks.get(second.id)).toMatchObject({
        state: 'waiting',
        attempt: 0,
        startedAt: null,
        waitingFor: { reason: 'session', detail: `${sessionID}: 1 before it`, until: null },
      }),
    )
    // Its slot is free for another.
    await run(orchestrator, { prompt: 'Other', tier: 'powerful' })
    core.backend.holds.release('here')

    const task = await finished(orchestrator, second.id)
    expect(task).toMatchObject({ state: 'succeeded', attempt: 1, waitingFor: null })
    expect((await finished(orchestrator, first.id)).finishedAt).toBeLessThanOrEqual(task.startedAt!)
    expect(typesOf(await itemsOf(orchestrator, second.id)).slice(0, 6)).toEqual([
      'task-queued',
      'task-routed',
      'task-parked',
      'task-resumed',
      'attempt-started',
      'session-opened',
    ])
    expect(await core.redis.hget(keys.task(second.id), 'deliveries')).toBe('1')
  })

  test('comes after the abort of the one before it that was cancelled without a worker', async ({
    core: { start, backend },
  }) => {
    const aborting = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const slow: SessionBackend = {
      ...backend,
      async abort(session) {
        asked.resolve()
        await aborting.promise
        await backend.abort(session)
      },
    }
    const orchestrator = await start({ backends: [slow] })
    const worker = await orchestrator.startWorker()
    const { sessionID } = await run(orchestrator, { prompt: 'Hello' })
    const first = await orchestrator.tasks.submit({ prompt: '@hold:here', sessionID: sessionID! })
    await backend.holds.held('here')
    const second = await orchestrator.tasks.submit({ prompt: '@hold:there', sessionID: sessionID! })
    await worker.close()

    const cancelling = orchestrator.tasks.cancel(first.id)
    await asked.promise
    await orchestrator.startWorker()
    await run(orchestrator, { prompt: 'Other' })
    aborting.resolve()
    await cancelling
    await backend.holds.held('there')
    backend.holds.release('there')

    expect(await finished(orchestrator, second.id)).toMatchObject({ state: 'succeeded' })
  })

  test('keeps the order of submit over several APIs, workers and tiers', async ({
    core: { start, backend },
  }) => {
    const [one, two] = [await start(), await start()]
    const worker = await one.startWorker()
    const { sessionID } = await run(one, { prompt: 'Hello' })
    await worker.close()

    const ids: string[] = []
    for (let index = 0; index < 12; index += 1) {
      const { tasks } = index % 2 ? one : two
      const tier = index % 3 ? 'fast' : 'powerful'
      ids.push((await tasks.submit({ prompt: `message ${index}`, sessionID: sessionID!, tier })).id)
    }
    await Promise.all([one.startWorker(), two.startWorker()])
    for (const id of ids) expect(await finished(one, id)).toMatchObject({ state: 'succeeded', attempt: 1 })

    const prompts = backend.turns.slice(1).map(({ parts }) => (parts[0] as { text: string }).text)
    expect(prompts).toEqual(ids.map((_, index) => `message ${index}`))
  })

  test('runs beside the messages of other sessions', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const one = await run(orchestrator, { prompt: 'Hello' })
    const other = await run(orchestrator, { prompt: 'Hello' })

    await orchestrator.tasks.submit({ prompt: '@hold:one', sessionID: one.sessionID! })
    await orchestrator.tasks.submit({ prompt: '@hold:other', sessionID: other.sessionID! })

    await Promise.all([backend.holds.held('one'), backend.holds.held('other')])
  })

  test.for(['waiting', 'running'] as const)(
    'that is cancelled while %s lets the next one go',
    async (state, { core }) => {
      const orchestrator = await core.startWorking()
      const { sessionID } = await run(orchestrator, { prompt: 'Hello' })
      const send = async (prompt: string) =>
        (await orchestrator.tasks.submit({ prompt, sessionID: sessionID! })).id
      const ids = [await send('@hold:here'), await send('Second'), await send('Third')]
      await core.backend.holds.held('here')
      await parked(orchestrator, ids[1]!)

      await orchestrator.tasks.cancel(state === 'waiting' ? ids[1]! : ids[0]!)
      if (state === 'waiting') core.backend.holds.release('here')

      expect(await finished(orchestrator, ids[2]!)).toMatchObject({ state: 'succeeded' })
      expect(await finished(orchestrator, ids[1]!)).toMatchObject({
        state: state === 'waiting' ? 'cancelled' : 'succeeded',
      })
    },
  )

  test('holds its turn over a backoff', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const { sessionID } = await run(orchestrator, { prompt: 'Hello' })
    const first = await orchestrator.tasks.submit({
      model: 'acme/nano',
      prompt: '@status:503,6 @say: First',
      sessionID: sessionID!,
    })
    const second = await orchestrator.tasks.submit({ prompt: 'Second', sessionID: sessionID! })

    const before = await finished(orchestrator, first.id)
    expect(before).toMatchObject({ state: 'succeeded', attempt: 2 })
    const after = await finished(orchestrator, second.id)

    expect(after.startedAt).toBeGreaterThanOrEqual(before.finishedAt!)
    expect(backend.turns.at(-1)!.parts[0]).toMatchObject({ text: 'Second' })
  })

  test('of a session that nobody has is refused', async ({ core: { start } }) => {
    const { tasks } = await start()

    await expect(tasks.submit({ prompt: 'Hello', sessionID: 'ses_none' })).rejects.toMatchObject({
      code: 'session_not_found',
    })
  })

  test('in another directory than its session is refused', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    const { sessionID } = await run(orchestrator, { prompt: 'Hello', directory: '/work' })

    await expect(
      orchestrator.tasks.submit({ prompt: 'Hello', sessionID: sessionID!, directory: '/other' }),
    ).rejects.toMatchObject({ code: 'invalid_input', errors: [{ field: 'directory', allowed: ['/work'] }] })
  })
})

async function parked({ tasks }: Orchestrator, id: string): Promise<void> {
  await eventually(async () => expect((await tasks.get(id)).waitingFor).toMatchObject({ reason: 'session' }))
}
