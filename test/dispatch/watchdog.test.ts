import { expect, onTestFinished } from 'vitest'
import { POISON } from '../../src/dispatch/handle-delivery.ts'
import { trackRunningTasks } from '../../src/dispatch/running-tasks.ts'
import { createWorkerHost } from '../../src/dispatch/worker-host.ts'
import { createTaskQueues } from '../../src/queues/task-queues.ts'
import { createTaskWorker, type TaskWorker, type TaskWorkerOptions } from '../../src/queues/task-worker.ts'
import { createLiveHub } from '../../src/stream/live-hub.ts'
import { test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'
import type { RedisFixture } from '../setup/redis-test.ts'

const NEVER_MS = 1_000_000_000

test('a worker that takes nothing any more is replaced', async ({ core, redis }) => {
  const orchestrator = await core.start()
  await orchestrator.routing.pauseTier('powerful')
  const taken: string[] = []
  const { host, abandoned, said } = await startHost(redis, {
    isDead: ({ queue }, count) => queue === 'powerful' || count === 1,
    handle: async (id) => void taken.push(id),
  })
  await host.apply(core.config.table())
  await orchestrator.tasks.submit({ tier: 'powerful', prompt: 'Paused' })

  const { id } = await orchestrator.tasks.submit({ tier: 'fast', prompt: 'Hello' })

  await eventually(() => expect(taken).toEqual([id]))
  expect(abandoned).toEqual(['fast'])
  expect(said).toEqual([expect.stringContaining('"fast"')])
})

test('one that was added for further slots is replaced too, while the first is at work', async ({
  core,
  redis,
}) => {
  const orchestrator = await core.start()
  const atWork: string[] = []
  const { promise: allowed, resolve: allow } = Promise.withResolvers<void>()
  onTestFinished(() => allow())
  const { host, abandoned } = await startHost(redis, {
    isDead: ({ queue }, count) => queue === 'fast' && count === 2,
    async handle(id) {
      atWork.push(id)
      await allowed
    },
  })
  const withSlots = (concurrency: number) => ({
    tiers: [{ name: 'fast', models: ['acme/nano' as const], concurrency }],
  })
  core.config.swap(withSlots(1))
  await host.apply(core.config.table())
  const first = await orchestrator.tasks.submit({ prompt: 'First' })
  await eventually(() => expect(atWork).toEqual([first.id]))
  core.config.swap(withSlots(2))
  await host.apply(core.config.table())

  const second = await orchestrator.tasks.submit({ prompt: 'Second' })

  await eventually(() => expect(atWork).toEqual([first.id, second.id]))
  expect(abandoned).toEqual(['fast'])
  allow()
})

test('isNeglected() sees what waits and what is overdue, and not what somebody works on', async ({
  core,
  redis: { keys, connect },
}) => {
  const queues = createTaskQueues({ redis: await connect('fail'), keys })
  onTestFinished(() => queues.close())
  const orchestrator = await core.start()
  const isNeglected = (afterMs = 0) => queues.isNeglected('fast', Date.now() + afterMs)

  expect(await isNeglected()).toBe(false)
  const delayed = await orchestrator.tasks.submit({ tier: 'fast', prompt: 'Later', delayMs: 60_000 })
  expect(await isNeglected()).toBe(false)
  expect(await isNeglected(70_000)).toBe(true)
  await orchestrator.tasks.cancel(delayed.id)

  const { id } = await orchestrator.tasks.submit({ tier: 'fast', prompt: '@hold:here', priority: 3 })
  expect(await isNeglected()).toBe(true)
  await orchestrator.routing.pauseTier('fast')
  expect(await isNeglected()).toBe(false)
  await orchestrator.routing.resumeTier('fast')
  await orchestrator.startWorker()
  await core.backend.holds.held('here')
  expect(await isNeglected()).toBe(false)
  await orchestrator.routing.pauseTier('fast')
  await orchestrator.tasks.submit({ tier: 'fast', prompt: 'Another' })
  await queues.setConcurrency('fast', 1)
  await orchestrator.routing.resumeTier('fast')
  // All that may run at a time does.
  expect(await isNeglected()).toBe(false)
  core.backend.holds.release('here')
  await orchestrator.handle(id).result()
})

/** Serves the queues of a table over workers of which some look well and take nothing, as after a long outage. */
async function startHost(
  { keys, connect }: RedisFixture,
  {
    isDead,
    handle,
  }: {
    /** `count`: the how many-th worker of its queue. */
    isDead(options: TaskWorkerOptions, count: number): boolean
    handle(id: string): Promise<void>
  },
) {
  const redis = await connect('wait')
  const queues = createTaskQueues({ redis, keys })
  const hub = createLiveHub(await connect('wait'), NEVER_MS)
  const running = await trackRunningTasks(hub, keys, async () => [])
  const opened: string[] = []
  const abandoned: string[] = []
  const said: string[] = []
  const dead = (queue: string): TaskWorker => ({
    setConcurrency() {},
    wasIdle: () => true,
    abandon: () => void abandoned.push(queue),
    async pause() {},
    async close() {},
  })
  const host = createWorkerHost({
    ...{ redis, keys, queues, running, name: 'host' },
    writes: { callOf: () => ({ keys: [], texts: [], packed: Buffer.alloc(0) }), repliesOf: async () => [] },
    tiers: ['fast', 'powerful'],
    concurrency: undefined,
    defaultConcurrency: 1,
    keepFinished: 10,
    maxDeliveries: 5,
    poison: POISON,
    watchMs: 20,
    async handle(id) {
      await handle(id)
      return { status: 'completed', note: 'done' }
    },
    stopRuns() {},
    onTurn() {},
    onError: ({ message }) => said.push(message),
    createWorker(options) {
      opened.push(options.queue)
      const count = opened.filter((queue) => queue === options.queue).length
      return isDead(options, count) ? dead(options.queue) : createTaskWorker(options)
    },
  })
  onTestFinished(async () => {
    await host.close(0)
    running.close()
    await hub.close()
    await queues.close()
  })
  return { host, abandoned, said }
}
