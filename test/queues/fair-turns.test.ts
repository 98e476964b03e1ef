import { describe, expect } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { createFairTurns } from '../../src/queues/fair-turns.ts'
import { rebaseTurns } from '../../src/queues/rebase-turns.ts'
import { createTaskQueues } from '../../src/queues/task-queues.ts'
import type { TaskInput } from '../../src/tasks/input.ts'
import { finished, test } from '../setup/core-test.ts'

const FAIR = { takesTurns: true }

describe('API keys take turns in a queue', () => {
  test('so that many tasks of one do not keep a few of another waiting', { timeout: 60_000 }, async ({
    core: { start, backend },
  }) => {
    const orchestrator = await start(FAIR)
    await submit(orchestrator, 'a', 200)
    const ids = await submit(orchestrator, 'b', 10)

    await orchestrator.startWorker({ concurrency: 1 })
    for (const id of ids) await finished(orchestrator, id)

    const order = backend.sessions.map(({ taskID }) => taskID)
    const places = ids.map((id) => order.indexOf(id))
    // One each in turn, and those of a key in the order of their submit.
    expect(places).toEqual(ids.map((_, index) => 2 * index + 1))
  })

  test('within one urgency: a more urgent task comes first, whatever was submitted before', async ({
    core: { start, backend },
  }) => {
    const orchestrator = await start(FAIR)
    const [late] = await submit(orchestrator, 'b', 1, { priority: 9 })
    await submit(orchestrator, 'a', 5, { priority: 4 })
    const [urgent] = await submit(orchestrator, 'a', 1)
    const [none] = await submit(orchestrator, null, 1)

    await orchestrator.startWorker({ concurrency: 1 })
    await finished(orchestrator, late!)

    const order = backend.sessions.map(({ taskID }) => taskID)
    expect([order[0], order[1], order.at(-1)]).toEqual([urgent, none, late])
  })

  test('from now on: what a key has had before counts neither for nor against it', async ({
    core: { start, backend },
  }) => {
    const orchestrator = await start(FAIR)
    const worker = await orchestrator.startWorker({ concurrency: 1 })
    for (const id of await submit(orchestrator, 'a', 20)) await finished(orchestrator, id)
    await worker.close()
    const before = backend.sessions.length
    const [a, b] = [await submit(orchestrator, 'a', 3), await submit(orchestrator, 'b', 3)]

    await orchestrator.startWorker({ concurrency: 1 })
    for (const id of [...a, ...b]) await finished(orchestrator, id)

    const order = backend.sessions.slice(before).map(({ taskID }) => taskID)
    expect(order).toEqual([a[0], b[0], a[1], b[1], a[2], b[2]])
  })

  test('also with idempotency keys, and when they are retried', async ({ core: { start, backend } }) => {
    const orchestrator = await start(FAIR)
    const worker = await orchestrator.startWorker({ concurrency: 1 })
    const [again] = await submit(orchestrator, 'b', 1, { prompt: '@status:400' })
    await finished(orchestrator, again!)
    await worker.close()
    const before = backend.sessions.length
    for (let n = 0; n < 5; n += 1) await submit(orchestrator, 'a', 1, { idempotencyKey: `a${n}` })
    await orchestrator.tasks.retry(again!)
    const [b] = await submit(orchestrator, 'b', 1, { idempotencyKey: 'b' })

    await orchestrator.startWorker({ concurrency: 1 })
    await finished(orchestrator, b!)

    // The session of a retry has a name of its own.
    const order = backend.sessions.slice(before).map(({ taskID }) => taskID.split(/[^\w]/, 1)[0])
    expect([order.indexOf(again!), order.indexOf(b!)]).toEqual([1, 3])
  })

  test('only where there are several: else the queue is a plain list', async ({
    core: { start, redis },
    redis: { keys },
  }) => {
    const orchestrator = await start()
    const [id] = await submit(orchestrator, 'a', 1)

    expect(await redis.lrange(`${keys.queuePrefix}:fast:wait`, 0, -1)).toEqual([id])
    expect(await redis.exists(keys.turns('fast'))).toBe(0)
  })

  test('whose numbers are counted anew before they end, and nobody loses a place', async ({
    core: { start, redis, backend },
    redis: { keys },
  }) => {
    const orchestrator = await start(FAIR)
    await redis.hset(keys.turns('fast'), { 'served:0': 150_000, 'of:0:a': 150_000 })
    const a = await submit(orchestrator, 'a', 4)
    const turns = createFairTurns({ redis, keys })
    const queues = createTaskQueues({ redis, keys })
    const priorities = async () => {
      const jobs = await Promise.all(a.map((id) => queues.queue('fast').getJob(id)))
      return jobs.map((job) => job!.priority)
    }
    expect(await priorities()).toEqual([150_001, 150_002, 150_003, 150_004])

    await rebaseTurns('fast', { turns, queues })
    await rebaseTurns('fast', { turns, queues })

    expect(await priorities()).toEqual([1, 2, 3, 4])
    const [b] = await submit(orchestrator, 'b', 1)
    await orchestrator.startWorker({ concurrency: 1 })
    for (const id of [...a, b!]) await finished(orchestrator, id)
    expect(backend.sessions.map(({ taskID }) => taskID)).toEqual([a[0], b, a[1], a[2], a[3]])
    await queues.close()
  })

  test('whose numbers are counted anew also where a job goes meanwhile', async ({
    core: { start, redis },
    redis: { keys },
  }) => {
    const orchestrator = await start(FAIR)
    await redis.hset(keys.turns('fast'), { 'of:0:a': 150_000 })
    const [first, second, third] = await submit(orchestrator, 'a', 3)
    const queues = createTaskQueues({ redis, keys })

    await queues.reprioritise('fast', ({ number }) => {
      // Before it is changed: on the same connection.
      if (number === 150_002) void redis.del(`${keys.queuePrefix}:fast:${second}`)
      return number - 150_000
    })

    for (const [id, priority] of [
      [first!, 1],
      [third!, 3],
    ] as const)
      expect((await queues.queue('fast').getJob(id))!.priority).toBe(priority)
    await queues.close()
  })
})

/** The ids, in their order. */
async function submit(
  { tasks }: Orchestrator,
  key: string | null,
  count: number,
  input: Partial<TaskInput> = {},
): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n += 1)
    ids.push((await tasks.accept({ tier: 'fast', prompt: 'Hello', ...input }, key)).task.id)
  return ids
}
