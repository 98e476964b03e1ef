import { expect } from 'vitest'
import { sweepWorktrees } from '../../src/dispatch/sweep-worktrees.ts'
import { createWorktreeStore } from '../../src/records/worktree-store.ts'
import { createMemoryBackend } from '../doubles/memory-backend.ts'
import { finished, run, test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

const INPUT = { prompt: 'Change it', directory: '/repo/sub', isolation: 'worktree' } as const

test('a task in a worktree works there, gives its diff, and leaves nothing', async ({
  core: { startWorking, backend, redis },
  redis: { keys },
}) => {
  const orchestrator = await startWorking()

  const task = await run(orchestrator, INPUT)

  const root = `/worktrees/tierline-${task.id.slice(4)}`
  expect(task).toMatchObject({
    state: 'succeeded',
    directory: `${root}/repo/sub`,
    result: { diff: `diff of ${root} from /repo/sub` },
  })
  expect(backend.turns[0]).toMatchObject({ directory: `${root}/repo/sub` })
  await eventually(async () => expect(await createWorktreeStore({ redis, keys }).all()).toEqual([]))
  expect([...backend.worktrees]).toEqual([])
})

test('a task without one has no diff', async ({ core: { startWorking, backend } }) => {
  const task = await run(await startWorking(), { prompt: 'Hello', directory: '/repo', isolation: 'shared' })

  expect(task).toMatchObject({ directory: '/repo', result: { diff: null } })
  expect(backend.turns[0]!.directory).toBe('/repo')
})

test('a task that is handed over goes on in its worktree', async ({ core: { start, backend } }) => {
  const orchestrator = await start()
  const worker = await orchestrator.startWorker()
  const { id } = await orchestrator.tasks.submit({ ...INPUT, prompt: '@hold:here' })
  await backend.holds.held('here')
  await worker.close()
  expect([...backend.worktrees]).toHaveLength(1)

  await orchestrator.startWorker()
  backend.holds.release('here')

  expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded', attempt: 2 })
  expect(new Set(backend.turns.map(({ directory }) => directory)).size).toBe(1)
  await eventually(() => expect([...backend.worktrees]).toEqual([]))
})

test('a task that is retried gets a new one of the same directory', async ({
  core: { startWorking, backend },
}) => {
  const orchestrator = await startWorking()
  const first = await run(orchestrator, INPUT)

  await orchestrator.tasks.retry(first.id)

  const again = await finished(orchestrator, first.id)
  expect(again.directory).toBe(`/worktrees/tierline-${first.id.slice(4)}-1/repo/sub`)
  expect(again.result?.diff).toContain('from /repo/sub')
  await eventually(() => expect([...backend.worktrees]).toEqual([]))
})

test('a diff that cannot be read now is read at the next attempt', async ({
  core: { startWorking, backend },
}) => {
  const orchestrator = await startWorking()
  const { id } = await orchestrator.tasks.submit({ ...INPUT, prompt: '@hold:here @say: done' })
  await backend.holds.held('here')
  const { worktreeDiff } = backend
  let asked = 0
  backend.worktreeDiff = (...args) => {
    asked += 1
    if (asked === 1) backend.setAway(true)
    const diff = worktreeDiff(...args)
    backend.setAway(false)
    return diff
  }
  backend.holds.release('here')

  const task = await finished(orchestrator, id)

  expect(task).toMatchObject({ state: 'succeeded', attempt: 2, result: { text: 'done' } })
  expect(task.result?.diff).toContain('diff of')
  expect(backend.ledger.paid()).toHaveLength(1)
})

test('a folder that is no repository ends the task, and one that contradicts is refused', async ({
  core: { startWorking, start },
}) => {
  const orchestrator = await startWorking()
  expect(await run(orchestrator, { ...INPUT, directory: '/plain' })).toMatchObject({
    state: 'failed',
    error: { code: 'not_a_git_repository', retryable: false },
  })

  const refusal = { code: 'not_a_git_repository', errors: [{ field: 'directory' }] }
  const strict = await start({ checkRepository: async () => Promise.reject(refusal) })
  await expect(strict.tasks.submit(INPUT)).rejects.toBe(refusal)
  await expect(strict.tasks.submit({ ...INPUT, sessionID: 'ses_1' })).rejects.toMatchObject({
    code: 'invalid_input',
    errors: [{ field: 'isolation' }],
  })
})

test('what a task left that was cancelled while nobody ran it is swept, what lives stays', async ({
  core: { start, backend, redis, records },
  redis: { keys },
}) => {
  const orchestrator = await start()
  const worker = await orchestrator.startWorker()
  const [gone, stays] = [
    await orchestrator.tasks.submit({ ...INPUT, prompt: '@hold:here' }),
    await orchestrator.tasks.submit({ ...INPUT, prompt: '@hold:here' }),
  ]
  await backend.holds.held('here', 2)
  await worker.close()
  await orchestrator.tasks.cancel(gone.id)
  const worktrees = createWorktreeStore({ redis, keys })

  await sweepWorktrees(worktrees, records, [createMemoryBackend({ server: 'another' })])
  expect([...backend.worktrees]).toHaveLength(2)
  await sweepWorktrees(worktrees, records, [backend])

  await eventually(() => expect([...backend.worktrees]).toEqual([`tierline-${stays.id.slice(4)}`]))
  expect((await worktrees.all()).map(({ taskID }) => taskID)).toEqual([stays.id])
})
