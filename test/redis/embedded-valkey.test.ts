/** What tierline needs of the embedded Valkey beside BullMQ, which bullmq.test.ts tries, and its promise, which durability.test.ts does. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { type Job, Queue, Worker, type WorkerOptions } from 'bullmq'
import { describe, expect } from 'vitest'
import { connectRedis } from '../../src/redis/connect.ts'
import { type OwnRedis, test as withOwnRedis } from './own-redis-test.ts'

const POLL = { timeout: 30_000, interval: 20 }

interface Bull {
  queue: Queue
  work(run: (job: Job) => Promise<unknown>, options?: Partial<WorkerOptions>): Promise<Worker>
}

const test = withOwnRedis.extend<{ bull: Bull }>({
  bull: async ({ own }, use) => {
    const queue = new Queue('jobs', { connection: own.client })
    const workers: Worker[] = []
    await use({
      queue,
      async work(run, options) {
        const worker = new Worker('jobs', run, { connection: own.client, ...options })
        worker.on('error', () => {})
        workers.push(worker)
        await worker.waitUntilReady()
        return worker
      },
    })
    await Promise.all(workers.map((worker) => worker.close(true)))
    await queue.close()
  },
})

describe('BullMQ on the embedded Valkey', () => {
  test('is through with 20,000 jobs and holds none of their memory', { timeout: 180_000 }, async ({
    own,
    bull,
  }) => {
    const usedBytes = async (): Promise<number> =>
      Number(/used_memory:(\d+)/.exec(await own.client.info('memory'))?.[1])
    const before = await usedBytes()
    const data = { text: 'x'.repeat(900) }
    for (let batch = 0; batch < 20; batch += 1)
      await bull.queue.addBulk(
        Array.from({ length: 1_000 }, () => ({ name: 'job', data, opts: { removeOnComplete: true } })),
      )
    expect(await bull.queue.getWaitingCount()).toBe(20_000)
    expect(await usedBytes()).toBeGreaterThan(before + 20_000_000)
    let done = 0
    await bull.work(
      async () => {
        done += 1
      },
      { concurrency: 50 },
    )

    await expect.poll(() => done, { timeout: 150_000, interval: 50 }).toBe(20_000)
    await expect
      .poll(() => bull.queue.getJobCounts('waiting', 'active'), POLL)
      .toEqual({ waiting: 0, active: 0 })
    // BullMQ keeps the last 10,000 events of a queue.
    await bull.queue.trimEvents(0)
    expect(await usedBytes()).toBeLessThan(before + 5_000_000)
    expect(residentBytes(own.pid)).toBeLessThan(400_000_000)
  })
})

describe('EmbeddedValkey', () => {
  withOwnRedis('is closed to whoever has no password', async ({ own }) => {
    const socket = await rawConnection(own)
    socket.write('GET a\r\n')

    expect(String((await once(socket, 'data'))[0])).toMatch(/^-NOAUTH/)
    socket.destroy()
  })

  withOwnRedis('answers a long pipeline in order, and large values whole', async ({ own }) => {
    const pipeline = own.client.pipeline()
    for (let i = 0; i < 20_000; i += 1) pipeline.incr('count')
    const answers = await pipeline.exec()
    expect(answers?.map(([, value]) => value)).toEqual(Array.from({ length: 20_000 }, (_, i) => i + 1))

    const large = 'large'.repeat(4_000_000)
    await own.client.set('large', large)
    expect((await own.client.get('large')) === large).toBe(true)
  })

  withOwnRedis('drops a subscriber that does not read, rather than keep all it missed', async ({ own }) => {
    const socket = await rawConnection(own)
    socket.write(`AUTH ${new URL(own.url).password}\r\nCLIENT SETNAME slow\r\nSUBSCRIBE news\r\n`)
    await expect.poll(() => own.client.publish('news', 'first'), POLL).toBe(1)
    socket.pause()
    const subscribers = async (): Promise<number> => {
      const pipeline = own.client.pipeline()
      for (let i = 0; i < 1_000; i += 1) pipeline.publish('news', 'x'.repeat(10_000))
      return (await pipeline.exec())?.at(-1)?.[1] as number
    }

    await expect.poll(subscribers, { timeout: 50_000, interval: 1 }).toBe(0)
    expect(residentBytes(own.pid)).toBeLessThan(400_000_000)
    socket.destroy()
  })

  withOwnRedis('wakes blocked clients, and lets the others wait out their time', async ({ own }) => {
    const [first, second] = await Promise.all(
      [1, 2].map(() => connectRedis(own.url, { name: 'test', whenAway: 'wait' })),
    )
    const waiting = first!.blpop('list', 60)
    const inVain = second!.blpop('other', 0.1)
    await own.client.rpush('list', 'a')

    expect(await waiting).toEqual(['list', 'a'])
    expect(await inVain).toBeNull()
    first!.disconnect()
    second!.disconnect()
  })
})

async function rawConnection({ url }: OwnRedis): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** 0 where the system does not tell. */
function residentBytes(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024
  } catch {
    return 0
  }
}
