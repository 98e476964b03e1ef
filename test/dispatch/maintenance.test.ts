import { describe, expect, onTestFinished, vi } from 'vitest'
import { type MaintenanceOptions, startMaintenance } from '../../src/dispatch/maintenance.ts'
import { createTaskQueues, type TaskQueues } from '../../src/queues/task-queues.ts'
import { CANCELLED } from '../records/records-test.ts'
import { startRedisProxy } from '../redis/redis-proxy.ts'
import { test as coreTest, finished, itemsOf, run } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

interface MaintenanceFixture {
  queues: TaskQueues
  swept: string[]
  /** One that looks only when it is told to. */
  start(overrides?: Partial<MaintenanceOptions>): ReturnType<typeof startMaintenance>
}

const NEVER_MS = 1_000_000_000

const test = coreTest.extend<{ maintenance: MaintenanceFixture }>({
  maintenance: async ({ core: { redis, records }, redis: { keys } }, use) => {
    const queues = createTaskQueues({ redis, keys })
    const swept: string[] = []
    const started: ReturnType<typeof startMaintenance>[] = []

    await use({
      queues,
      swept,
      start(overrides = {}) {
        const maintenance = startMaintenance({
          redis,
          keys,
          records,
          queues,
          name: 'maintainer',
          everyMs: NEVER_MS,
          missingMs: 0,
          queueTimeoutMs: () => NEVER_MS,
          haveServed: async () => {},
          leaveGates: async () => {},
          takeTurn: () => undefined,
          rebaseTurns: async () => {},
          retention: () => ({ taskAgeMs: NEVER_MS, maxFinishedTasks: 1_000 }),
          now: Date.now,
          abortRevived: async () => {},
          sweepWorktrees: async () => {},
          lookAfterBudgets: async () => {},
          lookAfterLimits: async () => {},
          lookAfterGates: async () => {},
          sweepStrays: async () => {},
          onSwept: (id) => swept.push(id),
          onError: (error) => {
            throw error
          },
          ...overrides,
        })
        started.push(maintenance)
        return maintenance
      },
    })

    for (const maintenance of started) await maintenance.close()
    await queues.close()
  },
})

test('the queues of all that waits or runs are served', async ({ core, maintenance }) => {
  const orchestrator = await core.start()
  const served: (readonly string[])[] = []
  const { look } = maintenance.start({ haveServed: async (queues) => void served.push(queues) })
  await look()
  await orchestrator.tasks.submit({ tier: 'powerful', prompt: 'x' })
  await orchestrator.tasks.submit({ tier: 'powerful', prompt: 'x' })
  await orchestrator.tasks.submit({ tier: 'fast', prompt: 'x' })
  await look()

  expect(served.map((queues) => queues.toSorted())).toEqual([[], ['fast', 'powerful']])
})

describe('the time in the queue', () => {
  test('ends a task that no worker takes; what has started is left alone', async ({ core, maintenance }) => {
    const orchestrator = await core.startWorking()
    await orchestrator.routing.pauseTier('powerful')
    const own = await orchestrator.tasks.submit({ tier: 'powerful', prompt: 'x', queueTimeoutMs: 1_000 })
    const general = await orchestrator.tasks.submit({ tier: 'powerful', prompt: 'x' })
    const delayed = await orchestrator.tasks.submit({
      tier: 'powerful',
      prompt: 'x',
      delayMs: 3_600_000,
      queueTimeoutMs: 1_000,
    })
    const running = await orchestrator.tasks.submit({ prompt: '@hold:here', queueTimeoutMs: 1_000 })
    await core.backend.holds.held('here')
    let now = Date.now()
    const left: string[] = []
    const { look } = maintenance.start({
      now: () => now,
      queueTimeoutMs: () => 60_000,
      leaveGates: async ({ id }) => void left.push(id),
    })
    const states = async () =>
      (await core.records.readMany([own.id, general.id, delayed.id, running.id])).map((one) => one!.state)

    await look()
    expect(await states()).toEqual(['waiting', 'waiting', 'delayed', 'running'])
    now += 2_000
    await look()
    expect(await states()).toEqual(['failed', 'waiting', 'delayed', 'running'])
    now += 60_000
    await look()
    expect(await states()).toEqual(['failed', 'failed', 'delayed', 'running'])
    now += 3_600_000
    await look()
    expect(await states()).toEqual(['failed', 'failed', 'failed', 'running'])

    expect(left).toEqual([own.id, general.id, delayed.id])
    expect(await orchestrator.tasks.get(own.id)).toMatchObject({ error: { code: 'queue_timeout' } })
    expect((await itemsOf(orchestrator, own.id)).map(({ type }) => type)).toEqual([
      'task-queued',
      'task-routed',
      'task-finished',
      'end',
    ])
    const [, powerful] = orchestrator.board.queues()
    expect(await powerful!.counts()).toMatchObject({ waiting: 0, delayed: 0 })
    core.backend.holds.release('here')
    await finished(orchestrator, running.id)
  })
})

describe('the sweeper', () => {
  test('delivers a live task again that has had no job for a while', async ({ core, maintenance }) => {
    const orchestrator = await core.start()
    const { id, queue } = await orchestrator.tasks.submit({ type: 'lint', prompt: 'Hello', priority: 3 })
    await maintenance.queues.withdraw(queue, id)
    let now = Date.now()
    const { look } = maintenance.start({ missingMs: 30_000, now: () => now })

    await look()
    now += 29_999
    await look()
    expect(maintenance.swept).toEqual([])
    now += 1
    await look()
    await look()

    expect(maintenance.swept).toEqual([id])
    await orchestrator.startWorker()
    expect(await finished(orchestrator, id)).toMatchObject({ state: 'succeeded' })
  })

  test('forgets that a job was missing which was there again', async ({ core, maintenance }) => {
    const orchestrator = await core.start()
    const { id, queue } = await orchestrator.tasks.submit({ prompt: 'Hello' })
    let now = Date.now()
    const { look } = maintenance.start({ missingMs: 30_000, now: () => now })
    const delivery = { id, queue, name: 'task', summary: {}, priority: 0, delayMs: 0 }

    await maintenance.queues.withdraw(queue, id)
    await look()
    await maintenance.queues.deliver(delivery)
    await look()
    await maintenance.queues.withdraw(queue, id)
    now += 60_000
    await look()

    expect(maintenance.swept).toEqual([])
  })

  test('keeps what is left of a delay', async ({ core, maintenance }) => {
    const orchestrator = await core.start()
    const { id, queue } = await orchestrator.tasks.submit({ prompt: 'Hello', delayMs: 3_600_000 })
    await maintenance.queues.withdraw(queue, id)

    await maintenance.start().look()

    expect(maintenance.swept).toEqual([id])
    const job = await maintenance.queues.queue(queue).getJob(id)
    expect(await job!.isDelayed()).toBe(true)
    expect(job!.delay).toBeGreaterThan(3_000_000)
    expect(job!.delay).toBeLessThanOrEqual(3_600_000)
  })

  test('delivers a running task whose delivery failed for a mistake in the code', async ({
    core,
    maintenance,
  }) => {
    const broken = { ...core.backend, openSession: () => Promise.reject(new TypeError('oops')) }
    const first = await core.startWorking({ backends: [broken] })
    const { id } = await first.tasks.submit({ prompt: 'Hello' })
    await eventually(async () => expect(await first.board.queues()[0]!.counts()).toMatchObject({ failed: 1 }))
    await first.close()

    await maintenance.start().look()

    expect(maintenance.swept).toEqual([id])
    const second = await core.startWorking()
    expect(await finished(second, id)).toMatchObject({ state: 'succeeded', attempt: 2 })
  })

  test('leaves alone what has a job, or is over', async ({ core, maintenance }) => {
    const orchestrator = await core.startWorking()
    await orchestrator.routing.pauseTier('powerful')
    await run(orchestrator, { prompt: 'Done' })
    const streaming = await orchestrator.tasks.submit({ prompt: '@hold:here' })
    await core.backend.holds.held('here')
    await orchestrator.tasks.submit({ tier: 'powerful', prompt: 'Paused' })
    await orchestrator.tasks.submit({ prompt: 'Delayed', delayMs: 3_600_000 })

    await maintenance.start().look()

    expect(maintenance.swept).toEqual([])
    core.backend.holds.release('here')
    await finished(orchestrator, streaming.id)
  })

  test('goes through more tasks than it reads at once', async ({ core, maintenance, redis: { keys } }) => {
    const orchestrator = await core.start()
    const answers = await orchestrator.tasks.submitMany(
      Array.from({ length: 1_000 }, () => ({ prompt: 'x' })),
    )
    expect(answers.every(({ status }) => status === 202)).toBe(true)
    await orchestrator.tasks.submitMany(Array.from({ length: 100 }, () => ({ prompt: 'x' })))
    await core.redis.unlink(...(await core.redis.keys(`${keys.queuePrefix}*`)))

    await maintenance.start().look()

    expect(maintenance.swept).toHaveLength(1_100)
    expect(new Set(maintenance.swept).size).toBe(1_100)
  })
})

describe('retention', () => {
  test('lets old tasks go with log and job, and keeps the others', async ({ core, maintenance, redis }) => {
    const orchestrator = await core.startWorking()
    const old = await run(orchestrator, { prompt: 'Old' })
    const failed = await run(orchestrator, { prompt: '@overflow' })
    const live = await orchestrator.tasks.submit({ prompt: 'Waiting', delayMs: 3_600_000 })
    const [queue] = orchestrator.board.queues()
    await eventually(async () => expect(await queue!.counts()).toMatchObject({ completed: 1, failed: 1 }))
    const later = Date.now() + 10_000
    const retention = () => ({ taskAgeMs: 9_000, maxFinishedTasks: 1_000 })

    await maintenance.start({ retention, now: () => later }).look()

    for (const { id } of [old, failed])
      await expect(orchestrator.tasks.get(id)).rejects.toMatchObject({ code: 'task_not_found' })
    expect(await queue!.counts()).toMatchObject({ completed: 0, failed: 0, delayed: 1 })
    expect((await orchestrator.tasks.list({ limit: 10 })).data.map(({ id }) => id)).toEqual([live.id])
    expect(await core.redis.exists(redis.keys.log(old.id))).toBe(0)
  })

  test('keeps no more finished tasks than it may', async ({ core, maintenance }) => {
    const orchestrator = await core.startWorking()
    const ids: string[] = []
    for (let count = 0; count < 5; count += 1) ids.unshift((await run(orchestrator, { prompt: 'x' })).id)
    const retention = () => ({ taskAgeMs: NEVER_MS, maxFinishedTasks: 2 })

    await maintenance.start({ retention }).look()

    const { data } = await orchestrator.tasks.list({ limit: 10 })
    expect(data.map(({ id }) => id)).toEqual(ids.slice(0, 2))
  })

  test('goes through more tasks than it reads at once', async ({ core, maintenance }) => {
    const orchestrator = await core.start()
    const answers = await orchestrator.tasks.submitMany(Array.from({ length: 700 }, () => ({ prompt: 'x' })))
    const ids = answers.flatMap((answer) =>
      answer.status === 202 && 'task' in answer ? [answer.task.id] : [],
    )
    await Promise.all(ids.map((id) => core.records.cancel(id, Date.now(), CANCELLED)))
    const retention = () => ({ taskAgeMs: NEVER_MS, maxFinishedTasks: 10 })

    await maintenance.start({ retention }).look()

    expect((await orchestrator.tasks.list({ limit: 200 })).data).toHaveLength(10)
  })

  test('forgets workers that gave no sign of life for long', async ({
    core,
    maintenance,
    redis: { keys },
  }) => {
    await core.redis.zadd(keys.workers, Date.now(), 'alive')
    await core.redis.zadd(keys.workers, 1_000, 'killed')

    await maintenance.start().look()

    expect(await core.redis.zrange(keys.workers, '0', '-1')).toEqual(['alive'])
  })
})

describe('one process at a time', () => {
  test('does it; the next when that one is closed', async ({ core, maintenance }) => {
    const orchestrator = await core.start()
    const { id, queue } = await orchestrator.tasks.submit({ prompt: 'Hello' })
    const first = maintenance.start({ name: 'first' })
    const second = maintenance.start({ name: 'second' })
    await first.look()
    await maintenance.queues.withdraw(queue, id)

    await second.look()
    expect(maintenance.swept).toEqual([])
    await first.close()
    await second.look()

    expect(maintenance.swept).toEqual([id])
  })

  test('also when that one is killed, after its term', async ({ core, maintenance, redis: { keys } }) => {
    const first = maintenance.start({ name: 'first', everyMs: 20_000 })
    await first.look()

    const termMs = await core.redis.pttl(keys.maintainer)
    expect(termMs).toBeGreaterThan(20_000)
    expect(termMs).toBeLessThanOrEqual(60_000)
  })

  test('does the rest, whatever part of it fails', async ({ core, maintenance }) => {
    const orchestrator = await core.start()
    const { id, queue } = await orchestrator.tasks.submit({ prompt: 'Hello' })
    await maintenance.queues.withdraw(queue, id)
    const errors: string[] = []
    const fails = (why: string) => () => Promise.reject(new Error(why))

    await maintenance
      .start({
        abortRevived: fails('revived'),
        sweepWorktrees: fails('worktrees'),
        onError: ({ message }) => errors.push(message),
      })
      .look()

    expect(maintenance.swept).toEqual([id])
    expect(errors).toEqual(['revived', 'worktrees'])
  })

  test('looks once at a time, and is told of errors', async ({ maintenance }) => {
    const onError = vi.fn()
    const { look } = maintenance.start({
      onError,
      retention: () => {
        throw new Error('no limits')
      },
    })
    const looking = look()

    expect(look()).toBe(looking)
    await looking
    expect(onError.mock.calls).toEqual([[expect.objectContaining({ message: 'no limits' })]])
  })
})

test('close() waits for nothing when Redis is away', async ({ core, redis }) => {
  const proxy = await startRedisProxy(redis.url)
  onTestFinished(proxy.stop)
  const orchestrator = await core.start({ redisUrl: proxy.url })
  await orchestrator.startWorker()
  const maintaining = await orchestrator.startMaintaining()
  const { id } = await orchestrator.tasks.submit({ prompt: '@hold:here' })
  await core.backend.holds.held('here')

  await proxy.goAway()
  await maintaining.close()
  await orchestrator.close()

  // Nobody handed it over: whoever comes after the lock of its job has run out takes it.
  expect(await core.records.read(id)).toMatchObject({ state: 'running' })
})
