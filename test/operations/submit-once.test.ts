import { describe, expect } from 'vitest'
import { createMemoryConfig } from '../doubles/memory-config.ts'
import { finished, test } from '../setup/core-test.ts'

const KEY = 'lint-8f2c1d'
const INPUT = { type: 'lint', prompt: 'Lint it', directory: '/project', metadata: { team: 'a', pr: 7 } }

describe('an idempotency key', () => {
  test('gives the first answer again, whatever became of the task', async ({
    core: { start, records, redis },
    redis: { keys },
  }) => {
    const orchestrator = await start()
    const first = await orchestrator.tasks.accept({ ...INPUT, idempotencyKey: KEY }, null)
    const worker = await orchestrator.startWorker()
    await finished(orchestrator, first.task.id)
    await worker.close()

    const again = await orchestrator.tasks.accept({ ...INPUT, idempotencyKey: KEY }, null)
    await orchestrator.tasks.remove(first.task.id)
    const gone = await orchestrator.tasks.accept({ ...INPUT, idempotencyKey: KEY }, null)

    expect(first).toMatchObject({ status: 202, task: { state: 'waiting' } })
    expect(again).toEqual({ status: 200, task: first.task })
    expect(gone).toEqual(again)
    expect(await records.ids(undefined, undefined, 10)).toEqual([])
    expect(await redis.keys(`${keys.root}:once:*`)).toHaveLength(1)
  })

  test('makes one task, and one delivery, of many that race over several processes', async ({
    core: { start, startWorking, backend },
  }) => {
    const processes = await Promise.all([start(), start(), start()])

    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        processes[n % 3]!.tasks.accept({ ...INPUT, idempotencyKey: KEY }, null),
      ),
    )

    expect(new Set(answers.map(({ task }) => task.id)).size).toBe(1)
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1)
    expect(await processes[0]!.board.queues()[0]!.counts()).toMatchObject({ waiting: 1 })
    const working = await startWorking()
    await finished(working, answers[0]!.task.id)
    expect(backend.turns).toHaveLength(1)
  })

  test('is refused with another task, and takes the same task in other words', async ({
    core: { start },
  }) => {
    const { tasks } = await start()
    const { id } = await tasks.submit({ ...INPUT, model: 'acme/nano', idempotencyKey: KEY })

    await expect(tasks.submit({ ...INPUT, prompt: 'Lint that', idempotencyKey: KEY })).rejects.toMatchObject({
      code: 'idempotency_key_reused',
      errors: [{ field: 'idempotencyKey', given: KEY }],
    })
    const again = await tasks.submit({
      idempotencyKey: KEY,
      model: { providerID: 'acme', modelID: 'nano' },
      metadata: { pr: 7, team: 'a' },
      directory: '/project',
      prompt: 'Lint it',
      type: 'lint',
    })
    expect(again.id).toBe(id)
  })

  test('belongs to its caller', async ({ core: { start } }) => {
    const { tasks } = await start()
    const input = { ...INPUT, idempotencyKey: KEY }
    const answers = [
      await tasks.accept(input, null),
      await tasks.accept(input, 'ci'),
      await tasks.accept(input, 'ci'),
      await tasks.accept(input, 'bot'),
    ]

    expect(answers.map(({ status }) => status)).toEqual([202, 202, 200, 202])
    expect(new Set(answers.map(({ task }) => task.id)).size).toBe(3)
  })

  test('of a submit that is refused is free', async ({ core: { start, redis }, redis: { keys } }) => {
    const { tasks } = await start({ config: createMemoryConfig({ maxWaitingTasks: 1 }) })
    await expect(tasks.submit({ ...INPUT, type: 'lnit', idempotencyKey: KEY })).rejects.toMatchObject({
      code: 'unknown_type',
    })
    await tasks.submit({ prompt: 'x' })
    await expect(tasks.submit({ ...INPUT, idempotencyKey: KEY })).rejects.toMatchObject({
      code: 'queue_full',
    })

    expect(await redis.keys(`${keys.root}:once:*`)).toEqual([])
  })

  test('finds its task when the table would refuse it by now, and when the queue is full', async ({
    core: { start, config },
  }) => {
    const { tasks } = await start({
      config: { ...config, limits: () => ({ ...config.limits(), maxWaitingTasks: 1 }) },
    })
    const { task } = await tasks.accept({ ...INPUT, idempotencyKey: KEY }, null)

    expect(await tasks.accept({ ...INPUT, idempotencyKey: KEY }, null)).toMatchObject({ status: 200 })
    config.swap({ routes: new Map() })

    expect(await tasks.accept({ ...INPUT, idempotencyKey: KEY }, null)).toEqual({ status: 200, task })
    await expect(tasks.submit(INPUT)).rejects.toMatchObject({ code: 'unknown_type' })
  })

  test('is forgotten after its time', async ({ core: { start, redis }, redis: { keys } }) => {
    const { tasks } = await start({ config: createMemoryConfig({ idempotencyAgeMs: 86_400_000 }) })
    await tasks.submit({ ...INPUT, idempotencyKey: KEY })
    const [once] = await redis.keys(`${keys.root}:once:*`)

    const ttlMs = await redis.pttl(once!)
    expect(ttlMs).toBeGreaterThan(86_000_000)
    expect(ttlMs).toBeLessThanOrEqual(86_400_000)
    await redis.pexpire(once!, 0)
    expect((await tasks.accept({ ...INPUT, idempotencyKey: KEY }, null)).status).toBe(202)
  })

  test('of one task of a batch is its own', async ({ core: { start } }) => {
    const { tasks } = await start()
    const keyed = { ...INPUT, idempotencyKey: KEY }

    const answers = await tasks.submitMany([keyed, { prompt: 'x' }, keyed, { ...keyed, prompt: 'y' }])

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 202, 202, 422])
  })

  test('leaves nothing in the record of the task, nor in that of one without', async ({
    core: { start, redis },
    redis: { keys },
  }) => {
    const { tasks } = await start()
    const plain = await redis.hgetall(keys.task((await tasks.submit(INPUT)).id))
    const keyed = await redis.hgetall(keys.task((await tasks.submit({ ...INPUT, idempotencyKey: KEY })).id))

    expect({ ...keyed, createdAt: '' }).toEqual({ ...plain, createdAt: '' })
  })
})
