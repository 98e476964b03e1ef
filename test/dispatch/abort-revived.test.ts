import { describe, expect } from 'vitest'
import { abortRevived } from '../../src/dispatch/abort-revived.ts'
import { createTombstoneStore, TOMBSTONE_AGE_MS } from '../../src/records/tombstone-store.ts'
import { CANCELLED, claimOptions } from '../records/records-test.ts'
import { finished, test, textsOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

describe('a turn that runs again after its task was cancelled', () => {
  test.for(['running', 'handed over'] as const)(
    'is aborted again: cancelled while it was %s',
    async (moment, { core: { start, backend, records, redis }, redis: { keys } }) => {
      const orchestrator = await start()
      const worker = await orchestrator.startWorker()
      const { id } = await orchestrator.tasks.submit({ prompt: '@hold:here' })
      await backend.holds.held('here')
      if (moment === 'handed over') await worker.close()
      await orchestrator.tasks.cancel(id)
      await finished(orchestrator, id)
      await eventually(() => expect(backend.aborts).toEqual(['ses_1']))
      const tombstones = createTombstoneStore({ redis, keys })
      const revived: string[] = []
      const look = (now: number) =>
        abortRevived(
          tombstones,
          records,
          { backends: [backend], onRevived: (task) => revived.push(task) },
          now,
        )

      await look(Date.now())
      expect(backend.aborts).toEqual(['ses_1'])
      backend.revive('ses_1')
      await backend.holds.held('here', 2)
      await look(Date.now())

      expect(backend.aborts).toEqual(['ses_1', 'ses_1'])
      expect(revived).toEqual([id])
      backend.revive('ses_1')
      await look(Date.now() + TOMBSTONE_AGE_MS + 1_000)
      expect(backend.aborts).toHaveLength(2)
      expect(await redis.exists(keys.tombstones)).toBe(0)
    },
  )

  test('leaves no trace of tasks that end by themselves', async ({
    core: { startWorking, redis },
    redis: { keys },
  }) => {
    const orchestrator = await startWorking()
    const inputs = [{ prompt: 'Hello' }, { prompt: '@status:400' }, { prompt: 'x', delayMs: 60_000 }]
    const [good, bad, waiting] = await orchestrator.tasks.submitMany(inputs)
    for (const answer of [good!, bad!]) if ('task' in answer) await finished(orchestrator, answer.task.id)
    if ('task' in waiting!) await orchestrator.tasks.cancel(waiting.task.id)

    expect(await redis.exists(keys.tombstones)).toBe(0)
  })

  test('waits for a server that is away', async ({
    core: { startWorking, backend, records, redis },
    redis: { keys },
  }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: '@hold:here' })
    await backend.holds.held('here')
    backend.setAway(true)
    await orchestrator.tasks.cancel(id)
    await finished(orchestrator, id)
    const tombstones = createTombstoneStore({ redis, keys })
    const look = () => abortRevived(tombstones, records, { backends: [backend], onRevived() {} }, Date.now())

    await look()
    backend.setAway(false)
    await look()

    expect(backend.aborts).toEqual(['ses_1'])
    expect(await backend.running([{ ...backend.turns[0]! }])).toEqual([])
  })
})

describe('a worker that learns that its task is not its own any more', () => {
  const PROMPT = '@say: One @hold:first @say: two @hold:second'

  test('aborts what it runs when the task is over', async ({
    core: { startWorking, backend, records, log },
  }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: PROMPT })
    await backend.holds.held('first')
    await eventually(async () => expect(textsOf(await log(id))).toEqual(['One']))
    const successor = await records.claim(id, claimOptions())
    if (successor.status !== 'claimed') throw new Error(successor.status)
    const { fence, seq } = successor.record
    const error = JSON.stringify(CANCELLED)
    await records.write({ id, fence, seq, now: 1, events: [], fields: { error }, to: 'cancelled' })

    backend.holds.release('first')

    await eventually(() => expect(backend.aborts).toEqual(['ses_1']))
    expect(await backend.running([backend.turns[0]!])).toEqual([])
  })

  test('leaves it alone while its successor runs it', async ({ core: { start, backend, records, log } }) => {
    const orchestrator = await start()
    const worker = await orchestrator.startWorker()
    const { id } = await orchestrator.tasks.submit({ prompt: PROMPT })
    await backend.holds.held('first')
    await eventually(async () => expect(textsOf(await log(id))).toEqual(['One']))
    await records.claim(id, claimOptions())

    backend.holds.release('first')
    await backend.holds.held('second')
    await worker.close()

    expect(backend.aborts).toEqual([])
    expect(await backend.running([backend.turns[0]!])).toHaveLength(1)
  })
})
