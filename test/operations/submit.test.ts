import { describe, expect } from 'vitest'
import { TierlineError } from '../../src/errors.ts'
import type { OrchestratorOptions } from '../../src/orchestrator.ts'
import { createMemoryConfig } from '../doubles/memory-config.ts'
import { finished, run, test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

describe('submit()', () => {
  test('gives the task as it is read afterwards', async ({ core: { start } }) => {
    const orchestrator = await start()

    const task = await orchestrator.tasks.submit({
      type: 'lint',
      prompt: 'Lint it',
      directory: '/project',
      metadata: { team: 'a', urgent: true },
    })

    expect(await orchestrator.tasks.get(task.id)).toEqual(task)
    expect(task).toMatchObject({
      state: 'waiting',
      type: 'lint',
      tier: 'fast',
      queue: 'fast',
      model: 'acme/nano',
      directory: '/project',
      attempt: 0,
      metadata: { team: 'a', urgent: true },
      route: { generation: 1, requested: { type: 'lint' }, chain: ['acme/mini'] },
      links: { self: `/v1/tasks/${task.id}`, board: `/board/queue/fast/${task.id}` },
    })
  })

  test('queues nothing of an input that is refused', async ({ core: { start, redis }, redis: { keys } }) => {
    const orchestrator = await start()
    const refusals: [object, object][] = [
      [
        { prompt: 'x', tpye: 'lint' },
        { code: 'unknown_field', errors: [{ field: 'tpye' }] },
      ],
      [{ prompt: '' }, { code: 'invalid_input', errors: [{ field: 'prompt' }] }],
      [
        { prompt: 'x', type: 'lnit' },
        { code: 'unknown_type', errors: [{ field: 'type', allowed: ['lint', 'analysis'] }] },
      ],
      [
        { prompt: 'x', tier: 'fats' },
        { code: 'unknown_tier', errors: [{ field: 'tier' }] },
      ],
      [
        { prompt: 'x', model: 'acme/nanno' },
        { code: 'unknown_model', errors: [{ field: 'model' }] },
      ],
      [
        { prompt: 'x', model: 'nano' },
        {
          code: 'unknown_model',
          message: expect.stringContaining('; nearest: acme/nano'),
          errors: [{ field: 'model', given: 'nano', allowed: expect.arrayContaining(['acme/nano']) }],
        },
      ],
      [
        { prompt: 'x', agent: 'biuld' },
        { code: 'unknown_agent', errors: [{ field: 'agent', allowed: ['build', 'plan'] }] },
      ],
      [
        { messages: [{ text: 'a' }, { text: 'b', model: 'acme/nanno' }] },
        { code: 'unknown_model', errors: [{ field: 'messages.1.model' }] },
      ],
      [
        { messages: [{ text: 'a', agent: 'biuld' }] },
        { code: 'unknown_agent', errors: [{ field: 'messages.0.agent' }] },
      ],
      [{ prompt: 'x'.repeat(1024 * 1024 + 1) }, { code: 'too_large', errors: [{ field: 'prompt' }] }],
    ]
    for (const [input, error] of refusals)
      await expect(orchestrator.tasks.submit(input), JSON.stringify(error)).rejects.toMatchObject(error)

    await expect(
      orchestrator.tasks.compare({ prompt: 'x', models: ['acme/nano', 'big'] }),
    ).rejects.toMatchObject({ code: 'unknown_model', errors: [{ field: 'models.1', given: 'big' }] })

    expect(await redis.keys(`${keys.root}*:task:*`)).toEqual([])
    expect(await orchestrator.board.queues()[0]!.counts()).toMatchObject({ waiting: 0 })
  })

  test('says queue_full at the limit and leaves nothing queued', async ({ core: { start } }) => {
    const orchestrator = await start({ config: createMemoryConfig({ maxWaitingTasks: 3 }) })

    const answers = await orchestrator.tasks.submitMany(Array.from({ length: 20 }, () => ({ prompt: 'x' })))

    expect(answers.filter(({ status }) => status === 202)).toHaveLength(3)
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused).toHaveLength(17)
    expect(refused[0]).toMatchObject({
      problem: { code: 'queue_full', errors: [{ field: 'maxWaitingTasks', given: 3 }] },
    })
    expect((await orchestrator.tasks.list({ limit: 50 })).data).toHaveLength(3)
    expect(await orchestrator.board.queues()[0]!.counts()).toMatchObject({ waiting: 3, completed: 0 })
    await expect(orchestrator.tasks.submit({ prompt: 'x' })).rejects.toMatchObject({
      code: 'queue_full',
      retryable: true,
    })
  })

  test('never runs what it refused, however near the limit', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking({ config: createMemoryConfig({ maxWaitingTasks: 5 }) })

    const accepted: string[] = []
    for (let round = 0; round < 5; round += 1)
      for (const answer of await orchestrator.tasks.submitMany(
        Array.from({ length: 20 }, () => ({ prompt: 'x' })),
      ))
        if ('task' in answer) accepted.push(answer.task.id)
    for (const id of accepted) await finished(orchestrator, id)

    expect(accepted.length).toBeGreaterThanOrEqual(5)
    expect(backend.sessions.map(({ taskID }) => taskID).sort()).toEqual(accepted.sort())
    const queue = orchestrator.board.queues()[0]!
    await eventually(async () => expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0 }))
  })
})

describe('submitMany()', () => {
  test('answers each input by itself, in order', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()

    const answers = await orchestrator.tasks.submitMany([
      { prompt: 'One' },
      { prompt: '' },
      'nonsense',
      { prompt: 'Two' },
    ])

    expect(answers).toMatchObject([
      { status: 202, task: { state: 'waiting' } },
      { status: 422, problem: { code: 'invalid_input', errors: [{ field: 'prompt' }] } },
      { status: 422, problem: { code: 'invalid_input' } },
      { status: 202 },
    ])
    for (const answer of answers)
      if ('task' in answer)
        expect(await finished(orchestrator, answer.task.id)).toMatchObject({ state: 'succeeded' })
  })
})

describe('a catalog that changes', () => {
  test('is asked again before a model counts as unknown', async ({ core: { start, backend } }) => {
    const known = await backend.catalog(undefined)
    let models = known.models.filter(({ model }) => model !== 'globex/deep')
    const asked: (string | undefined)[] = []
    const catalog = async (directory: string | undefined) => {
      asked.push(directory)
      return { ...known, models: directory === '/special' ? known.models : models }
    }
    const orchestrator = await start({ backends: [{ ...backend, catalog }] })
    const input = { model: 'globex/deep', prompt: 'x' }

    await expect(orchestrator.tasks.submit(input)).rejects.toMatchObject({ code: 'unknown_model' })
    expect(await orchestrator.tasks.submit({ ...input, directory: '/special' })).toMatchObject({
      model: 'globex/deep',
    })
    models = [...known.models]

    await eventually(async () =>
      expect(await orchestrator.tasks.submit(input)).toMatchObject({ queue: 'direct' }),
    )
    expect(asked).toContain('/special')
  })

  test('that was never known is opencode_unavailable', async ({ core: { start, backend } }) => {
    backend.setAway(true)
    const orchestrator = await start()

    await expect(orchestrator.tasks.submit({ prompt: 'x' })).rejects.toMatchObject({
      code: 'opencode_unavailable',
    })
    backend.setAway(false)
    expect(await orchestrator.tasks.submit({ prompt: 'x' })).toMatchObject({ state: 'waiting' })
  })
})

test('paths are checked where they stand', async ({ core: { start } }) => {
  const checked: string[] = []
  const check = async (path: string, field: string) => {
    checked.push(`${field} ${path}`)
    return `/real${path}`
  }
  const orchestrator = await start({ checkDirectory: check, checkFile: check })

  const task = await orchestrator.tasks.submit({
    directory: '/project',
    messages: [
      { text: 'Look' },
      {
        parts: [
          { type: 'text', text: 'at' },
          { type: 'file', mime: 'text/plain', url: 'file:///project/a.txt' },
          { type: 'file', mime: 'text/plain', url: 'data:text/plain,hello' },
        ],
      },
    ],
  })

  expect(task.directory).toBe('/real/project')
  expect(checked).toEqual(['directory /project', 'messages.1.parts.1.url file:///project/a.txt'])
})

describe('a directory that nobody names', () => {
  const outside = () => async (given: string, server: string) => {
    throw new TierlineError('directory_not_allowed', `Not ${given} of ${server}`, {
      errors: [{ field: 'directory', message: 'must be named' }],
    })
  }
  const refused = { code: 'directory_not_allowed', message: 'Not /server of memory' }

  test('is refused where the server works outside of the allowed ones, and nothing is queued', async ({
    core: { start },
  }) => {
    const { tasks, routing } = await start({ checkOwnDirectory: outside })

    await expect(tasks.submit({ prompt: 'x' })).rejects.toMatchObject(refused)
    await expect(tasks.compare({ prompt: 'x', models: ['acme/nano', 'acme/big'] })).rejects.toMatchObject(
      refused,
    )
    expect(await routing.explain({ prompt: 'x' })).toMatchObject({ problem: { code: refused.code } })
    const [batched] = await tasks.submitMany([{ prompt: 'x' }])
    expect(batched).toMatchObject({ problem: { code: refused.code } })
    expect((await tasks.list({ limit: 10 })).data).toEqual([])
    expect(await tasks.submit({ prompt: 'x', directory: '/work' })).toMatchObject({ directory: '/work' })
  })

  test('is refused when a task is tried again that was accepted when it was allowed', async ({
    core: { startWorking },
  }) => {
    let check: ReturnType<OrchestratorOptions['checkOwnDirectory']> = null
    const orchestrator = await startWorking({ checkOwnDirectory: () => check })
    const { id } = await run(orchestrator, { prompt: '@say: done' })
    check = outside()

    await expect(orchestrator.tasks.retry(id)).rejects.toMatchObject(refused)
  })
})
