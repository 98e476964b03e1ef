import { expect } from 'vitest'
import { finished, run, test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

test('a queue shows its tasks where they are, newest first', async ({ core: { startWorking, backend } }) => {
  const orchestrator = await startWorking()
  const done = await run(orchestrator, { type: 'lint', prompt: 'Done' })
  const failed = await run(orchestrator, { prompt: '@overflow' })
  const streaming = await orchestrator.tasks.submit({ prompt: '@hold:here' })
  await backend.holds.held('here')
  const delayed = await orchestrator.tasks.submit({
    prompt: 'Later',
    delayMs: 3_600_000,
    metadata: { team: 'a' },
  })
  const board = orchestrator.board.queues().find(({ name }) => name === 'fast')!

  await eventually(async () =>
    expect(await board.counts()).toEqual({
      active: 1,
      completed: 1,
      delayed: 1,
      failed: 1,
      prioritized: 0,
      waiting: 0,
    }),
  )
  expect(await board.jobs(['active'], 0, 9)).toMatchObject([
    { id: streaming.id, state: 'active', task: { state: 'running', sessionID: 'ses_3' } },
  ])
  expect(await board.jobs(['completed'], 0, 9)).toMatchObject([{ id: done.id, name: 'lint', task: done }])
  expect(await board.jobs(['failed'], 0, 9)).toMatchObject([{ id: failed.id, task: { error: failed.error } }])
  expect(await board.job(delayed.id)).toMatchObject({
    state: 'delayed',
    data: { prompt: 'Later', metadata: { team: 'a' } },
  })
  const mixed = await board.jobs(['active', 'completed', 'failed', 'delayed'], 0, 9)
  expect(mixed.map(({ id, state }) => `${id} ${state}`).sort()).toEqual(
    [`${done.id} completed`, `${failed.id} failed`, `${streaming.id} active`, `${delayed.id} delayed`].sort(),
  )
  expect((await board.logs(done.id)).map((line) => line.slice(25, 34))).toContain('succeeded')
  expect((await board.logs(delayed.id))[0]).toContain('queued in "fast"')
  expect(await board.redisInfo()).toContain('redis_version')
  backend.holds.release('here')
  await finished(orchestrator, streaming.id)
})

test('a task without a job is found all the same, in its own queue alone', async ({ core: { start } }) => {
  const orchestrator = await start()
  const { id } = await orchestrator.tasks.submit({ prompt: 'Hello' })
  await orchestrator.tasks.cancel(id)
  const [fast, powerful] = orchestrator.board.queues()

  expect(await fast!.job(id)).toMatchObject({ id, state: 'failed', task: { state: 'cancelled' } })
  expect(await powerful!.job(id)).toBeUndefined()
  expect(await fast!.job('tsk_none')).toBeUndefined()
  expect(await fast!.jobs(['waiting'], 0, 9)).toEqual([])
})
