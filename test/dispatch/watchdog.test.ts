import { expect, onTestFinished } from 'vitest'
import { POISON } from '../../src/dispatch/handle-delivery.ts'
import { trackRunningTasks } from '../../src/dispatch/running-tasks.ts'
import { createWorkerHost } from '../../src/dispatch/worker-host.ts'
import { createTaskQueues } from '../../src/queues/task-queues.ts'
import { createTaskWorker, type TaskWorker } from '../../src/queues/task-worker.ts'
import { createLiveHub } from '../../src/stream/live-hub.ts'
import { test } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

const NEVER_MS = 1_000_000_000

test('a worker that takes nothing any more is replaced', async ({ core, redis: { keys, connect } }) => {
  const orchestrator = await core.start()
  await orchestrator.routing.pauseTier('powerful')
  const redis = await connect('wait')
  const queues = createTaskQueues({ redis, keys })
  const hub = createLiveHub(await connect('wait'), NEVER_MS)
  const running = await trackRunningTasks(hub, keys, async () => [])
  const opened: string[] = []
  const abandoned: string[] = []
  const taken: string[] = []
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
    tiers: ['fast', 'powerful'],
    concurrency: undefined,
    defaultConcurrency: 1,
    keepFinished: 10,
    maxDeliveries: 5,
    poison: POISON,
    watchMs: 20,
    async handle(id) {
      taken.push(id)
      return { status: 'completed', note: 'done' }
    },
    stopRuns() {},
    onTurn() {},
    onError: ({ message }) => said.push(message),
    // As after a Redis that was away for too long: it looks well, and nothing comes.
    createWorker(options) {
      opened.push(options.queue)
      const isFirst = opened.filter((queue) => queue === options.queue).length === 1
      return isFirst ? dead(options.queue) : createTaskWorker(options)
    },
  })
  onTestFinished(async () => {
    await host.close(0)
    running.close()
    await hub.close()
    await queues.close()
  })
  await host.apply(core.config.table())
  await orchestrator.tasks.submit({ tier: 'powerful', prompt: 'Paused' })

  const { id } = await orchestrator.tasks.submit({ tier: 'fast', prompt: 'Hello' })

  await eventually(() => expect(taken).toEqual([id]))
  expect(abandoned).toEqual(['fast'])
  expect(said).toEqual([expect.stringContaining('"fast"')])
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
  core.backend.holds.release('here')
  await orchestrator.handle(id).result()
})
