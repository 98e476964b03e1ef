/** One suite of what BullMQ can do, on three servers: the embedded Valkey must be no different from the others. */
import { randomUUID } from 'node:crypto'
import {
  FlowProducer,
  type Job,
  type JobsOptions,
  Queue,
  type QueueBaseOptions,
  QueueEvents,
  Worker,
  type WorkerOptions,
} from 'bullmq'
import { afterAll, test as base, beforeAll, describe, expect } from 'vitest'
import { connectRedis, type RedisClient } from '../../src/redis/connect.ts'
import { eventually } from '../setup/eventually.ts'
import { SERVERS, type Server } from './bullmq-servers.ts'

interface Bull {
  name: string
  queue: Queue
  flows: FlowProducer
  /** What is listening already. */
  events(): Promise<QueueEvents>
  work(run: (job: Job) => unknown, options?: Partial<WorkerOptions>): Promise<Worker>
  client: RedisClient
}

describe.each(Object.entries(SERVERS))('BullMQ on %s', (_, startServer) => {
  let server: Server | string
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(async () => {
    if (typeof server === 'object') await server.stop()
  })

  const test = base.extend<{ bull: Bull }>({
    bull: async ({ skip }, use) => {
      if (typeof server === 'string') return skip(server)
      const client = await connectRedis(server.url, { name: 'test', whenAway: 'wait' })
      const name = randomUUID()
      const options: QueueBaseOptions = { connection: client }
      const opened: { close(): Promise<unknown> }[] = []
      const open = <Opened extends (typeof opened)[number]>(one: Opened): Opened => {
        opened.unshift(one)
        return one
      }
      await use({
        name,
        client,
        queue: open(new Queue(name, options)),
        flows: open(new FlowProducer(options)),
        async events() {
          const events = open(new QueueEvents(name, options))
          await events.waitUntilReady()
          return events
        },
        async work(run, more) {
          const worker = new Worker(name, async (job) => await run(job), { ...options, ...more })
          worker.on('error', () => {})
          opened.unshift({ close: () => worker.close(true) })
          await worker.waitUntilReady()
          return worker
        },
      })
      for (const one of opened) await one.close()
      client.disconnect()
    },
  })

  const add = (queue: Queue, count: number, opts: JobsOptions = {}) =>
    queue.addBulk(Array.from({ length: count }, (_, i) => ({ name: 'job', data: { i }, opts })))
  const completed = (queue: Queue, count: number) =>
    eventually(async () => expect(await queue.getCompletedCount()).toBe(count))

  test('runs a job, with its result, progress, log and events', async ({ bull: { queue, work, events } }) => {
    const listening = await events()
    const heard: string[] = []
    listening.on('progress', () => heard.push('progress')).on('completed', () => heard.push('completed'))
    await work(async (job) => {
      await job.updateProgress(50)
      await job.log('hello')
      return job.data.a * 2
    })
    const job = await queue.add('job', { a: 21 })

    await completed(queue, 1)
    expect(await queue.getJob(job.id!)).toMatchObject({ returnvalue: 42, progress: 50 })
    expect((await queue.getJobLogs(job.id!)).logs).toEqual(['hello'])
    await eventually(() => expect(heard).toEqual(['progress', 'completed']))
  })

  test('runs a delayed job when its time has come, and one that is promoted before', async ({
    bull: { queue, work },
  }) => {
    await work((job) => Date.now() - job.timestamp)
    await queue.add('job', {}, { delay: 300, jobId: 'late' })
    const promoted = await queue.add('job', {}, { delay: 3_600_000, jobId: 'early' })
    await promoted.promote()

    await completed(queue, 2)
    expect((await queue.getJob('late'))?.returnvalue).toBeGreaterThanOrEqual(300)
  })

  test('tries again with a growing delay, and keeps what fails for good', async ({
    bull: { queue, work },
  }) => {
    await work((job) => {
      if (job.data.hopeless || job.attemptsMade < 2) throw new Error('not yet')
      return job.attemptsMade
    })
    const opts: JobsOptions = { attempts: 3, backoff: { type: 'exponential', delay: 20 } }
    await queue.add('job', {}, { ...opts, jobId: 'at-last' })
    await queue.add('job', { hopeless: true }, { ...opts, jobId: 'hopeless' })

    await eventually(async () =>
      expect(await queue.getJobCounts('completed', 'failed')).toEqual({ completed: 1, failed: 1 }),
    )
    expect((await queue.getJob('at-last'))?.returnvalue).toBe(2)
    expect(await queue.getJob('hopeless')).toMatchObject({ failedReason: 'not yet', attemptsMade: 3 })
  })

  test('runs by priority', async ({ bull: { queue, work } }) => {
    for (const priority of [5, 1, 3]) await queue.add('job', { priority }, { priority })
    const order: number[] = []
    await work((job) => order.push(job.data.priority))

    await completed(queue, 3)
    expect(order).toEqual([1, 3, 5])
  })

  test('runs again and again by a schedule until it is removed', async ({ bull: { queue, work } }) => {
    let ticks = 0
    await work(() => {
      ticks += 1
    })
    await queue.upsertJobScheduler('clock', { every: 50 }, { name: 'tick' })
    await eventually(() => expect(ticks).toBeGreaterThanOrEqual(3))

    expect(await queue.getJobSchedulers()).toHaveLength(1)
    expect(await queue.removeJobScheduler('clock')).toBe(true)
    expect(await queue.getJobSchedulers()).toEqual([])
  })

  test('runs a parent after its children and theirs, with their results', async ({
    bull: { name, queue, flows, work },
  }) => {
    await work(async (job) => {
      if (job.name === 'leaf') return job.data.value
      const values = Object.values<number>(await job.getChildrenValues())
      return values.reduce((sum, value) => sum + value, 0)
    })
    const leaf = (value: number) => ({ name: 'leaf', queueName: name, data: { value } })
    const inner = { name: 'inner', queueName: name, children: [leaf(2), leaf(9)] }
    const { job } = await flows.add({ name: 'root', queueName: name, children: [leaf(1), inner] })

    await completed(queue, 5)
    expect((await queue.getJob(job.id!))?.returnvalue).toBe(12)
  })

  test('fails a parent with its child where that is asked for', async ({
    bull: { name, queue, flows, work },
  }) => {
    await work(() => {
      throw new Error('bad')
    })
    const opts = { failParentOnFailure: true }
    const { job } = await flows.add({
      name: 'root',
      queueName: name,
      children: [{ name: 'leaf', queueName: name, opts }],
    })

    await eventually(async () => expect(await queue.getFailedCount()).toBe(2))
    expect((await queue.getJob(job.id!))?.failedReason).toMatch(/^child .* failed$/)
  })

  test('counts, pauses, resumes and empties', async ({ bull: { queue } }) => {
    await add(queue, 500)
    expect(await queue.getWaitingCount()).toBe(500)
    await queue.pause()
    expect(await queue.isPaused()).toBe(true)
    await queue.resume()
    await queue.drain()
    expect(await queue.count()).toBe(0)
  })

  test('starts no more than the rate allows', async ({ bull: { queue, work } }) => {
    await add(queue, 6)
    await work(() => {}, { limiter: { max: 2, duration: 3_600_000 }, concurrency: 10 })

    await completed(queue, 2)
    await eventually(async () => expect(await queue.getRateLimitTtl(2)).toBeGreaterThan(0))
    expect(await queue.getJobCounts('waiting', 'completed')).toEqual({ waiting: 4, completed: 2 })
  })

  test('holds a limit over all workers', async ({ bull: { queue, work } }) => {
    await queue.setGlobalConcurrency(2)
    let running = 0
    const seen: number[] = []
    const twoAtOnce = Promise.withResolvers<void>()
    const run = async (job: Job) => {
      seen.push(++running)
      if (running === 2) twoAtOnce.resolve()
      await twoAtOnce.promise
      await job.updateProgress(1)
      running -= 1
    }
    await Promise.all([work(run, { concurrency: 10 }), work(run, { concurrency: 10 })])
    await add(queue, 10)

    await completed(queue, 10)
    expect(Math.max(...seen)).toBe(2)
  })

  test('adds once what is added twice', async ({ bull: { queue } }) => {
    const opts = { deduplication: { id: 'same', ttl: 3_600_000 } }
    const first = await queue.add('job', {}, opts)
    const second = await queue.add('job', {}, opts)

    expect(second.id).toBe(first.id)
    expect(await queue.getWaitingCount()).toBe(1)
  })

  test('changes delay, priority and data of a job, and removes it', async ({ bull: { queue } }) => {
    const job = await queue.add('job', {}, { delay: 60_000 })
    await job.changeDelay(120_000)
    expect((await queue.getJob(job.id!))?.delay).toBe(120_000)
    await job.promote()
    await job.changePriority({ priority: 2 })
    await job.updateData({ z: 1 })

    const found = await queue.getJob(job.id!)
    expect([found?.data, await found?.getState()]).toEqual([{ z: 1 }, 'prioritized'])
    await job.remove()
    expect(await queue.getJob(job.id!)).toBeUndefined()
  })

  test('gives the job of a worker that stalled to another', async ({ bull: { queue, work } }) => {
    await queue.add('job', {})
    const started = Promise.withResolvers<void>()
    const never = Promise.withResolvers<void>()
    await work(
      async () => {
        started.resolve()
        await never.promise
      },
      { lockDuration: 300, lockRenewTime: 3_600_000, stalledInterval: 100 },
    )
    await started.promise
    await work(() => 'taken over', { stalledInterval: 100 })

    await eventually(async () => expect((await queue.getCompleted())[0]?.returnvalue).toBe('taken over'))
    never.resolve()
  })

  test('forgets old events, knows its workers, and leaves nothing behind', async ({
    bull: { name, queue, work, client },
  }) => {
    await add(queue, 100)
    await work(() => {})
    await completed(queue, 100)
    expect(await queue.trimEvents(10)).toBeGreaterThan(0)
    // Redis trims in blocks of a hundred.
    expect(await client.xlen(`bull:${name}:events`)).toBeLessThan(110)
    await eventually(async () => expect(await queue.getWorkers()).toHaveLength(1))

    await queue.obliterate({ force: true })
    await eventually(async () =>
      expect(
        (await client.keys(`bull:${name}:*`)).filter((key) => !/:(events|stalled-check)$/.test(key)),
      ).toEqual([]),
    )
  })
})
