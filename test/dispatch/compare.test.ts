import { describe, expect } from 'vitest'
import { sweepWorktrees } from '../../src/dispatch/sweep-worktrees.ts'
import { createWorktreeStore } from '../../src/records/worktree-store.ts'
import type { ComparisonRow, Task } from '../../src/tasks/task.ts'
import { type CoreFixture, finished, itemsOf, test, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

const MODELS = ['acme/nano', 'acme/mini', 'acme/big']

describe('compare()', () => {
  test('runs a task on each model at once, and gives the table in the order asked for', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()

    const parent = await orchestrator.tasks.compare({ prompt: '@hold:here @say: Hello', models: MODELS })
    await backend.holds.held('here', 3)
    expect(await orchestrator.tasks.get(parent.id)).toMatchObject({
      state: 'running',
      queue: 'nested',
      tier: null,
      route: {
        chain: [],
        steps: [{ step: 'compare', input: MODELS.join(', '), outcome: 'a task for each' }],
      },
      waitingFor: { reason: 'children', detail: '3 children are not over' },
    })
    backend.holds.release('here')

    const task = await finished(orchestrator, parent.id)
    expect(task).toMatchObject({ state: 'succeeded', costMicroUsd: 0, result: { messages: [], diff: null } })
    expect(task.result!.text).toBe(MODELS.map((model) => `${model}: succeeded`).join('\n'))
    const rows = rowsOf(task)
    expect(
      rows.map(({ model, state, text, diff, verdict, error }) => [model, state, text, diff, verdict, error]),
    ).toEqual(MODELS.map((model) => [model, 'succeeded', 'Hello', null, null, null]))
    for (const row of rows) {
      expect(row.costMicroUsd).toBeGreaterThan(0)
      expect(row.firstTokenMs).toBeGreaterThanOrEqual(0)
      expect(row.totalMs).toBeGreaterThanOrEqual(row.firstTokenMs!)
    }
    const children = await orchestrator.handle(parent.id).children()
    expect(children.map(({ id }) => id)).toEqual(rows.map(({ taskID }) => taskID))
    expect(new Set(children.map(({ sessionID }) => sessionID)).size).toBe(3)
    expect(backend.sessions).toHaveLength(3)
    expect(typesOf(await itemsOf(orchestrator, parent.id))).toEqual([
      'task-queued',
      'task-routed',
      'attempt-started',
      'task-parked',
      'task-resumed',
      'task-finished',
      'end',
    ])
  })

  test('by tiers takes the model each leads to; one that fails does not fail the others', async ({
    core: { startWorking },
  }) => {
    const orchestrator = await startWorking()
    const input = { prompt: '@status:401 @say: Hello', tiers: ['fast', 'powerful'] }

    const task = await finished(orchestrator, (await orchestrator.tasks.compare(input)).id)

    expect(task.state).toBe('succeeded')
    expect(rowsOf(task).map(({ model, state, error }) => [model, state, error?.code])).toEqual([
      ['acme/mini', 'failed', 'provider_auth'],
      ['acme/big', 'failed', 'provider_auth'],
    ])
  })

  test('with a directory gives each a worktree, and its diff', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()
    const input = { prompt: 'Change it', models: MODELS, directory: '/repo' }

    const rows = rowsOf(await finished(orchestrator, (await orchestrator.tasks.compare(input)).id))

    expect(new Set(rows.map(({ diff }) => diff)).size).toBe(3)
    expect(new Set(backend.turns.map(({ directory }) => directory)).size).toBe(3)
    await eventually(() => expect([...backend.worktrees]).toEqual([]))
  })

  test.for([[{ isolation: 'shared' }], [{ agent: 'plan' }]] as const)(
    'with %j all work in the directory itself',
    async ([more], { core: { startWorking, backend } }) => {
      const orchestrator = await startWorking()
      const input = { prompt: 'Read it', models: MODELS, directory: '/repo', ...more }

      await finished(orchestrator, (await orchestrator.tasks.compare(input)).id)

      expect(backend.turns.map(({ directory }) => directory)).toEqual(['/repo', '/repo', '/repo'])
    },
  )

  test('judges by a schema, whether or not the answer is fenced', async ({ core: { startWorking } }) => {
    const orchestrator = await startWorking()
    const judged = async (answer: string) => {
      const input = {
        prompt: `@say: ${answer}`,
        models: MODELS.slice(0, 2),
        output: { schema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] } },
      }
      return rowsOf(await finished(orchestrator, (await orchestrator.tasks.compare(input)).id))[0]!.verdict
    }

    expect(await judged('{"n": 1}')).toEqual({ passed: true, by: 'output', detail: '' })
    expect(await judged('```json\\n{"n": 1}\\n```')).toMatchObject({ passed: true })
    expect(await judged('{"n": "one"}')).toMatchObject({
      passed: false,
      detail: expect.stringMatching(/^n: /),
    })
    expect(await judged('One.')).toMatchObject({
      passed: false,
      detail: expect.stringMatching(/^is not JSON/),
    })
  })

  test('judges by a verifier in the worktree, which stays until then', async ({
    core: { startWorking, backend },
  }) => {
    const seen: string[] = []
    const orchestrator = await startWorking({
      verifiers: {
        names: () => ['tests-pass'],
        async run(name, directory) {
          seen.push(directory)
          return { passed: backend.worktrees.size > 0, detail: name }
        },
      },
    })
    const input = { prompt: 'Change it', models: MODELS, directory: '/repo', verify: 'tests-pass' }

    const rows = rowsOf(await finished(orchestrator, (await orchestrator.tasks.compare(input)).id))

    expect(rows.map(({ verdict }) => verdict)).toEqual(
      MODELS.map(() => ({ passed: true, by: 'tests-pass', detail: 'tests-pass' })),
    )
    expect(seen.sort()).toEqual(backend.turns.map(({ directory }) => directory).sort())
    await eventually(() => expect([...backend.worktrees]).toEqual([]))
  })

  test('refuses what is wrong before anything is written', async ({ core: { start } }) => {
    const { tasks } = await start()
    const refused = async (more: object) =>
      tasks.compare({ prompt: 'Hello', ...more }).then(
        () => 'accepted',
        ({ code, errors }) => [code, errors[0].field],
      )

    expect(await refused({ models: ['acme/nano', 'acme/bigg'] })).toEqual(['unknown_model', 'models.1'])
    expect(await refused({ tiers: ['fats', 'fast'] })).toEqual(['unknown_tier', 'tiers.0'])
    expect(await refused({ models: ['acme/nano'] })).toEqual(['invalid_input', 'models'])
    expect(await refused({})).toEqual(['invalid_input', 'models'])
    expect(await refused({ models: MODELS, tiers: ['fast', 'fast'] })).toEqual(['invalid_input', 'tiers'])
    expect(await refused({ models: MODELS, model: 'acme/nano' })).toEqual(['unknown_field', 'model'])
    expect(await refused({ models: MODELS, verify: 'x', directory: '/a' })).toEqual([
      'unknown_verifier',
      'verify',
    ])
    expect(await refused({ models: MODELS, verify: 'x' })).toEqual(['invalid_input', 'directory'])
    const schema = { type: 'nope' }
    expect(await refused({ models: MODELS, output: { schema } })).toEqual(['invalid_input', 'output.schema'])
    expect(await refused({ models: MODELS, prompt: undefined })).toEqual(['invalid_input', 'prompt'])
    const metadata = JSON.parse('{"__proto__":"x"}')
    expect(await refused({ models: MODELS, metadata })).toEqual(['invalid_input', 'metadata.__proto__'])
    const parentTaskID = 'tsk_01k0a1b2c3d4e5f6g7h8j9k0m1'
    expect(await refused({ models: MODELS, parentTaskID })).toEqual(['unknown_parent', 'parentTaskID'])
    expect((await tasks.list({ limit: 50 })).data).toEqual([])
  })

  test('is made once for an idempotency key, and refuses another one for it', async ({
    core: { startWorking, backend },
  }) => {
    const orchestrator = await startWorking()
    const { tasks } = orchestrator
    const input = { prompt: 'Hello', models: MODELS, idempotencyKey: 'k' }

    const replies = await Promise.all([1, 2, 3].map(() => tasks.acceptCompare(input, null)))
    const another = tasks.acceptCompare({ ...input, models: MODELS.slice(0, 2) }, null)

    expect(replies.map(({ status }) => status).sort()).toEqual([200, 200, 202])
    expect(new Set(replies.map(({ task }) => task.id)).size).toBe(1)
    await expect(another).rejects.toMatchObject({ code: 'idempotency_key_reused' })
    await finished(orchestrator, replies[0]!.task.id)
    expect(backend.ledger.paid()).toHaveLength(MODELS.length)
  })

  test('that is handed over goes on with the tasks it has; none is paid twice', async ({ core }) => {
    const { orchestrator, id, backend } = await handedOver(core)

    await orchestrator.startWorker()
    backend.holds.release('here')

    const task = await finished(orchestrator, id)
    expect(task).toMatchObject({ state: 'succeeded', attempt: 2 })
    expect(rowsOf(task).map(({ state }) => state)).toEqual(['succeeded', 'succeeded', 'succeeded'])
    expect(backend.ledger.paid()).toHaveLength(3)
  })

  test('makes no task again that was deleted, and has a row that says so', async ({ core }) => {
    const { orchestrator, id, backend } = await handedOver(core)
    const [first] = (await orchestrator.tasks.children(id, { limit: 50 })).data
    await orchestrator.tasks.cancel(first!.id)
    await orchestrator.tasks.remove(first!.id)

    await orchestrator.startWorker()
    backend.holds.release('here')

    const rows = rowsOf(await finished(orchestrator, id))
    const [gone, ...others] = rows.toSorted((a, b) => a.state.localeCompare(b.state))
    expect(gone).toMatchObject({ taskID: null, state: 'failed', error: { code: 'task_not_found' } })
    expect(others.map(({ state }) => state)).toEqual(['succeeded', 'succeeded'])
    expect(backend.turns.every(({ model }) => MODELS.includes(model))).toBe(true)
    expect(new Set(backend.turns.map(({ messageID }) => messageID)).size).toBe(3)
  })

  test('that is cancelled takes its tasks along', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.compare({ prompt: '@hold:here', models: MODELS })
    await backend.holds.held('here', 3)

    await orchestrator.tasks.cancel(id)

    expect(await finished(orchestrator, id)).toMatchObject({ state: 'cancelled', result: null })
    for (const child of await orchestrator.handle(id).children()) expect(child.state).toBe('cancelled')
  })

  test('that ends without a verdict leaves its worktrees to the maintenance', async ({
    core: { startWorking, backend, redis, records },
    redis: { keys },
  }) => {
    const verifiers = { names: () => ['x'], run: async () => ({ passed: true, detail: '' }) }
    const orchestrator = await startWorking({ verifiers })
    const { id } = await orchestrator.tasks.compare({
      ...{ prompt: '@hold:here', models: MODELS, directory: '/repo', verify: 'x' },
    })
    await backend.holds.held('here', 3)
    const worktrees = createWorktreeStore({ redis, keys })
    await sweepWorktrees(worktrees, records, [backend])
    expect(backend.worktrees.size).toBe(3)

    await orchestrator.tasks.cancel(id)
    await finished(orchestrator, id)
    for (const child of await orchestrator.handle(id).children()) expect(child.state).toBe('cancelled')
    await sweepWorktrees(worktrees, records, [backend])

    expect([...backend.worktrees]).toEqual([])
    expect(await worktrees.all()).toEqual([])
  })

  test('that is retried compares once more, in new tasks', async ({ core: { startWorking, backend } }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.compare({ prompt: 'Hello', models: MODELS })
    const before = rowsOf(await finished(orchestrator, id))

    expect(await orchestrator.tasks.retry(id)).toMatchObject({
      ...{ queue: 'nested', tier: null, result: null },
      route: { steps: [{ step: 'compare' }] },
    })

    const after = rowsOf(await finished(orchestrator, id))
    expect(new Set([...before, ...after].map(({ taskID }) => taskID)).size).toBe(6)
    expect(backend.ledger.paid()).toHaveLength(6)
  })

  test('with a model that is gone by then has a row that says so', async ({
    core: { start, backend, config },
  }) => {
    const orchestrator = await start()
    const { id } = await orchestrator.tasks.compare({ prompt: 'Hello', tiers: ['fast', 'powerful'] })
    config.swap({ tiers: [{ name: 'fast', models: ['acme/nano'], concurrency: null }], routes: new Map() })
    await orchestrator.startWorker()

    const rows = rowsOf(await finished(orchestrator, id))

    expect(rows.map(({ taskID, state, error }) => [taskID === null, state, error?.code])).toEqual([
      [false, 'succeeded', undefined],
      [true, 'failed', 'unknown_tier'],
    ])
    expect(backend.ledger.paid()).toHaveLength(1)
  })
})

/** A comparison in mid-turn whose worker is gone. */
async function handedOver({ start, backend }: CoreFixture) {
  const orchestrator = await start()
  const worker = await orchestrator.startWorker()
  const { id } = await orchestrator.tasks.compare({ prompt: '@hold:here @say: Hello', models: MODELS })
  await backend.holds.held('here', 3)
  await worker.close()
  return { orchestrator, id, backend }
}

function rowsOf(task: Task): ComparisonRow[] {
  return task.result!.comparison!
}
