import { expect } from 'vitest'
import { finished, run, test, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

const INPUT = { directory: '/repo', isolation: 'exclusive' } as const

test('exclusive tasks of one directory run one at a time, in the order of submit; others are not held up', async ({
  core: { startWorking, backend, log },
}) => {
  const orchestrator = await startWorking()
  const { tasks } = orchestrator
  const ids: string[] = []
  for (const name of ['one', 'two', 'three'])
    ids.push((await tasks.submit({ ...INPUT, prompt: `@hold:${name}` })).id)
  await backend.holds.held('one')
  await eventually(async () => {
    const waiting = await Promise.all(ids.slice(1).map((id) => tasks.get(id)))
    expect(waiting.map(({ state, waitingFor }) => [state, waitingFor?.reason])).toEqual([
      ['waiting', 'directory'],
      ['waiting', 'directory'],
    ])
  })
  expect((await run(orchestrator, { prompt: 'Hello', directory: '/repo' })).state).toBe('succeeded')
  expect((await run(orchestrator, { ...INPUT, prompt: 'Hello', directory: '/other' })).state).toBe(
    'succeeded',
  )

  for (const [index, name] of ['one', 'two', 'three'].entries()) {
    await backend.holds.held(name)
    expect(backend.holds.waiting()).toEqual([name])
    backend.holds.release(name)
    await finished(orchestrator, ids[index]!)
  }
  expect(typesOf(await log(ids[1]!))).toEqual(expect.arrayContaining(['task-parked', 'task-resumed']))
})

test('below an exclusive task others of its directory take turns, and wait neither for it nor it for them', async ({
  core: { startWorking, backend },
}) => {
  const orchestrator = await startWorking()
  const { tasks } = orchestrator
  const parent = await tasks.submit({ ...INPUT, prompt: '@hold:parent' })
  await backend.holds.held('parent')
  const middle = await tasks.submit({ prompt: '@hold:middle', parentTaskID: parent.id })
  const below = { ...INPUT, parentTaskID: middle.id }

  const first = await tasks.submit({ ...below, prompt: '@hold:first' })
  await backend.holds.held('first')
  const second = await tasks.submit({ ...below, prompt: '@hold:second' })
  await eventually(async () =>
    expect(await tasks.get(second.id)).toMatchObject({ waitingFor: { reason: 'directory' } }),
  )
  for (const name of ['first', 'second', 'middle', 'parent']) backend.holds.release(name)

  for (const { id } of [first, second, middle, parent])
    expect((await finished(orchestrator, id)).state).toBe('succeeded')
  expect(await tasks.retry(second.id)).toMatchObject({ queue: 'fast' })
  expect((await finished(orchestrator, second.id)).state).toBe('succeeded')
})

test('a task is refused that would wait for the session of a task above it', async ({
  core: { startWorking, backend },
}) => {
  const orchestrator = await startWorking()
  const { tasks } = orchestrator
  const parent = await tasks.submit({ prompt: '@hold:parent' })
  await backend.holds.held('parent')
  const { sessionID } = await tasks.get(parent.id)
  const child = await tasks.submit({ prompt: '@hold:child', parentTaskID: parent.id })

  await expect(
    tasks.submit({ prompt: 'Hello', parentTaskID: child.id, sessionID: sessionID! }),
  ).rejects.toMatchObject({ code: 'invalid_input', errors: [{ field: 'sessionID' }] })
  backend.holds.release('child')
  backend.holds.release('parent')
})
