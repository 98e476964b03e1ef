import { describe, expect } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import type { TaskInput } from '../../src/tasks/input.ts'
import type { Task } from '../../src/tasks/task.ts'
import { claimOptions, newTask, recordFields } from '../records/records-test.ts'
import { finished, test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

const ONE_AT_A_TIME = { tiers: [{ name: 'fast', models: ['acme/nano' as const], concurrency: 1 }] }

describe('a parent that waits for its children', () => {
  test('and two levels of them finish at tier concurrency 1', async ({
    core: { startWorking, backend, config },
  }) => {
    config.swap(ONE_AT_A_TIME)
    const orchestrator = await startWorking()
    const { tasks } = orchestrator

    const parent = await tasks.submit({ prompt: '@hold:parent @say: all' })
    await backend.holds.held('parent')
    const child = await below(orchestrator, parent, { prompt: '@hold:child @say: some' })
    await backend.holds.held('child')
    const grandchild = await below(orchestrator, child, { prompt: '@say: one' })

    expect(await finished(orchestrator, grandchild.id)).toMatchObject({ state: 'succeeded', queue: 'nested' })
    expect(await tasks.get(parent.id)).toMatchObject({
      state: 'running',
      queue: 'fast',
      waitingFor: { reason: 'children', detail: '1 child is not over', until: null },
    })
    expect((await tasks.get(child.id)).waitingFor).toBeNull()
    backend.holds.release('child')
    expect(await finished(orchestrator, child.id)).toMatchObject({
      state: 'succeeded',
      tier: 'fast',
      queue: 'nested',
      parentTaskID: parent.id,
    })
    backend.holds.release('parent')
    expect(await finished(orchestrator, parent.id)).toMatchObject({ state: 'succeeded', waitingFor: null })
  })

  test('gets them from its handle once all are over, whatever became of each', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()
    const parent = await orchestrator.tasks.submit({ prompt: '@hold:parent' })
    const first = await below(orchestrator, parent, { prompt: '@hold:first' })
    const second = await below(orchestrator, parent, { prompt: '@status:401' })
    const handle = orchestrator.handle(parent.id)

    await expect(handle.children({ timeoutMs: 1 })).rejects.toMatchObject({ code: 'not_finished' })
    const children = handle.children()
    await backend.holds.held('first')
    await finished(orchestrator, second.id)
    const third = await below(orchestrator, parent, { prompt: 'Late' })
    backend.holds.release('first')

    expect((await children).map(({ id, state }) => [id, state])).toEqual([
      [first.id, 'succeeded'],
      [second.id, 'failed'],
      [third.id, 'succeeded'],
    ])
    expect(await orchestrator.handle(third.id).children()).toEqual([])
    await expect(orchestrator.handle('tsk_none').children()).rejects.toMatchObject({ code: 'task_not_found' })
  })

  test('keeps none out where more wait than a worker has slots', { timeout: 120_000 }, async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()
    const top = await orchestrator.tasks.submit({ prompt: '@hold:top' })
    const parents = await Promise.all(
      Array.from({ length: 120 }, () => below(orchestrator, top, { prompt: '@hold:parent' })),
    )
    await backend.holds.held('parent', 100)

    const children = await Promise.all(
      parents.map((parent) => below(orchestrator, parent, { prompt: '@say: child' })),
    )

    for (const { id } of children)
      expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
    backend.holds.release('parent')
    backend.holds.release('top')
    for (const { id } of parents)
      expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
  })

  test('is run by a worker for other tiers, whose slots in a tier are one', async ({
    core: { start, backend },
  }) => {
    const orchestrator = await start()
    const [one, other] = [await orchestrator.startWorker({ tiers: ['fast'], concurrency: 1 }), 2]
    expect([one, other]).toHaveLength(2)
    const parent = await orchestrator.tasks.submit({ prompt: '@hold:parent' })
    await backend.holds.held('parent')

    const children = await Promise.all(
      ['one', 'two'].map((name) =>
        below(orchestrator, parent, { tier: 'powerful', prompt: `@hold:${name}` }),
      ),
    )
    await Promise.all(['one', 'two'].map((name) => backend.holds.held(name)))

    for (const name of ['one', 'two', 'parent']) backend.holds.release(name)
    for (const { id } of children) expect((await finished(orchestrator, id)).state).toBe('succeeded')
  })
})

test('an agent may be told its own task, in texts and system prompts', async ({
  core: { startWorking, backend },
}) => {
  const orchestrator = await startWorking()
  const text = 'You are {{tierline.taskID}}, yes {{tierline.taskID}}'
  const { id } = await orchestrator.tasks.submit({ messages: [{ text, system: 'Of {{tierline.taskID}}' }] })
  await finished(orchestrator, id)

  expect(backend.turns).toMatchObject([{ system: `Of ${id}`, parts: [{ text: `You are ${id}, yes ${id}` }] }])
})

describe('a child', () => {
  test('is refused below a task that is unknown, over or being cancelled, and on the sixth level', async ({
    core: { startWorking, start, backend, create, records },
  }) => {
    const orchestrator = await start()
    const refused = (parentTaskID: string) => orchestrator.tasks.submit({ prompt: 'Hello', parentTaskID })
    const levels = [await orchestrator.tasks.submit({ prompt: '@hold:here' })]
    while (levels.length < 5) levels.push(await below(orchestrator, levels.at(-1)!, { prompt: '@hold:here' }))

    await expect(refused(levels[4]!.id)).rejects.toMatchObject({
      code: 'nested_too_deep',
      errors: [{ field: 'parentTaskID', given: levels[4]!.id }],
    })
    await expect(refused('tsk_01k0a1b2c3d4e5f6g7h8j9k0m1')).rejects.toMatchObject({ code: 'unknown_parent' })
    await expect(refused('01k0')).rejects.toMatchObject({ code: 'invalid_input' })
    expect(
      (await orchestrator.routing.explain({ prompt: 'Hello', parentTaskID: levels[4]!.id })).problem,
    ).toMatchObject({ code: 'nested_too_deep', status: 422 })

    await startWorking()
    await backend.holds.held('here', 5)
    await records.cancel(levels[0]!.id, Date.now(), { code: 'cancelled', message: '', retryable: false })
    await expect(refused(levels[0]!.id)).rejects.toMatchObject({ code: 'parent_finished' })
    const id = 'tsk_01k0a1b2c3d4e5f6g7h8j9k0m1'
    const written = (parentTaskID: string) => create(newTask(id, recordFields(), { parentTaskID }))
    // Whoever asked a moment before is told the same by the script.
    expect(await written(levels[0]!.id)).toEqual({ status: 'parent_finished' })
    expect(await written(levels[4]!.id)).toEqual({ status: 'nested_too_deep' })
    expect(await written(id)).toEqual({ status: 'unknown_parent' })
    await finished(orchestrator, levels[0]!.id)
    await expect(refused(levels[0]!.id)).rejects.toMatchObject({ code: 'parent_finished' })
    expect((await orchestrator.tasks.list({ limit: 50 })).data).toHaveLength(5)
    await orchestrator.tasks.cancel(levels[0]!.id)
  })

  test('is listed below its parent, newest first, and by filter', async ({ core: { start } }) => {
    const orchestrator = await start()
    const [parent, other] = [
      await orchestrator.tasks.submit({ prompt: 'Parent' }),
      await orchestrator.tasks.submit({ prompt: 'Other' }),
    ]
    const ids: string[] = []
    for (let count = 0; count < 3; count += 1)
      ids.unshift((await below(orchestrator, parent, { prompt: 'Child', type: 'lint' })).id)
    await below(orchestrator, other, { prompt: 'Of another' })

    const first = await orchestrator.tasks.children(parent.id, { limit: 2 })
    expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2))
    const rest = await orchestrator.tasks.children(parent.id, { limit: 2, cursor: first.nextCursor! })
    expect(rest.data.map(({ id }) => id)).toEqual(ids.slice(2))
    const filtered = await orchestrator.tasks.list({ parentTaskID: parent.id, type: 'lint', limit: 50 })
    expect(filtered.data.map(({ id }) => id)).toEqual(ids)
    expect(
      (await orchestrator.tasks.list({ parentTaskID: parent.id, type: 'other', limit: 5 })).data,
    ).toEqual([])
  })

  test('that is retried when its parent is over waits in its tier', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()
    const parent = await orchestrator.tasks.submit({ prompt: '@hold:parent' })
    const child = await below(orchestrator, parent, { prompt: 'Hello' })
    await finished(orchestrator, child.id)
    expect(await orchestrator.tasks.retry(child.id)).toMatchObject({ queue: 'nested' })
    await finished(orchestrator, child.id)
    backend.holds.release('parent')
    await finished(orchestrator, parent.id)

    expect(await orchestrator.tasks.retry(child.id)).toMatchObject({ queue: 'fast' })
    expect(await finished(orchestrator, child.id)).toMatchObject({ state: 'succeeded' })
  })

  test('with an idempotency key is submitted once, also when its parent is over by then', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()
    const parent = await orchestrator.tasks.submit({ prompt: '@hold:parent' })
    const input = { prompt: 'Hello', parentTaskID: parent.id, idempotencyKey: 'k1' }

    const [first, repeat] = [
      await orchestrator.tasks.accept(input, null),
      await orchestrator.tasks.accept(input, null),
    ]
    backend.holds.release('parent')
    await finished(orchestrator, parent.id)
    const late = await orchestrator.tasks.accept(input, null)

    expect([first, repeat, late].map(({ status }) => status)).toEqual([202, 200, 200])
    expect(new Set([first, repeat, late].map(({ task }) => task.id)).size).toBe(1)
    expect((await orchestrator.tasks.children(parent.id, { limit: 5 })).data).toHaveLength(1)
    await expect(orchestrator.tasks.accept({ ...input, idempotencyKey: 'k2' }, null)).rejects.toMatchObject({
      code: 'parent_finished',
    })
  })

  test('written a second time under its id changes nothing', async ({ core: { start, create, records } }) => {
    const orchestrator = await start()
    const parent = await orchestrator.tasks.submit({ prompt: 'Parent' })
    const child = await below(orchestrator, parent, { prompt: 'Child' })
    const before = await records.read(child.id)

    const again = newTask(child.id, recordFields(), { parentTaskID: parent.id })
    expect(await create(again)).toEqual({ status: 'created', before: 0 })
    expect(await records.read(child.id)).toEqual(before)
  })
})

describe('a cancel', () => {
  test('takes the whole subtree along, waiting and running, and nothing else', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()
    const { tasks } = orchestrator
    const parent = await tasks.submit({ prompt: '@hold:here' })
    const running = await below(orchestrator, parent, { prompt: '@hold:here' })
    const below2 = await below(orchestrator, running, { prompt: '@hold:here' })
    const later = await below(orchestrator, running, { prompt: 'Later', delayMs: 3_600_000 })
    const done = await below(orchestrator, parent, { prompt: 'Done' })
    const stranger = await tasks.submit({ prompt: '@hold:stranger' })
    await finished(orchestrator, done.id)
    await backend.holds.held('here', 3)

    await tasks.cancel(parent.id)

    for (const { id } of [parent, running, below2, later])
      expect((await finished(orchestrator, id)).state).toBe('cancelled')
    expect((await tasks.get(done.id)).state).toBe('succeeded')
    expect((await tasks.get(stranger.id)).state).not.toBe('cancelled')
    backend.holds.release('stranger')
  })

  test('of a parent that is over ends the children it left', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const parent = await orchestrator.tasks.submit({ prompt: '@hold:parent' })
    await backend.holds.held('parent')
    const child = await below(orchestrator, parent, { prompt: '@hold:child' })
    backend.holds.release('parent')
    await finished(orchestrator, parent.id)

    expect(await orchestrator.tasks.cancel(parent.id)).toMatchObject({ state: 'succeeded' })

    expect(await finished(orchestrator, child.id)).toMatchObject({ state: 'cancelled' })
  })
})

test('a worker that dies with a parent and its child is replaced; both are joined, none is paid twice', async ({
  core: { start, startWorking, backend, records, config },
}) => {
  config.swap(ONE_AT_A_TIME)
  const orchestrator = await start()
  const parent = await orchestrator.tasks.submit({ prompt: '@hold:parent @say: all' })
  const worker = await orchestrator.startWorker()
  await backend.holds.held('parent')
  const child = await below(orchestrator, parent, { prompt: '@hold:child @say: one' })
  await backend.holds.held('child')

  await worker.close()
  // As a worker that was killed leaves them: claimed by nobody who lives.
  await records.claim(child.id, { ...claimOptions(), queue: 'nested' })
  const second = await startWorking()
  await eventually(async () => expect(await records.read(parent.id)).toMatchObject({ attempt: 2 }))
  const grandchild = await below(second, child, { prompt: 'Below' })
  expect((await finished(second, grandchild.id)).state).toBe('succeeded')
  backend.holds.release('child')
  await finished(second, child.id)
  backend.holds.release('parent')

  expect(await finished(second, parent.id)).toMatchObject({ state: 'succeeded', result: { text: 'all' } })
  expect(backend.ledger.paid()).toHaveLength(3)
  expect(backend.aborts).toEqual([])
})

function below(
  { tasks }: Orchestrator,
  parent: Pick<Task, 'id'>,
  input: Omit<TaskInput, 'parentTaskID'>,
): Promise<Task> {
  return tasks.submit({ ...input, parentTaskID: parent.id })
}
