import type { Job, Worker } from 'bullmq'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createMainLoop } from '../../src/queues/main-loop.ts'

test('those that are known to wait are asked for at once, and each begins as it comes', async () => {
  const { loop, worker } = start({ concurrency: 10 })
  await vi.waitFor(() => expect(worker.asks).toHaveLength(1))

  loop.wait(4)
  worker.answer(0, 'first')
  await vi.waitFor(() => expect(worker.asks.length).toBeGreaterThan(2))
  worker.answer(2, 'third')
  await vi.waitFor(() => expect(worker.runs.map(({ id }) => id)).toEqual(['first', 'third']))

  await settled()
  expect(worker.asks.length).toBeLessThanOrEqual(1 + 4)
})

test('nothing is asked for beyond the slots, nor while somebody listens for a job', async () => {
  const { loop, worker } = start({ concurrency: 2 })
  loop.wait(10)
  await vi.waitFor(() => expect(worker.asks).toHaveLength(1))
  expect(loop.hasRoom()).toBe(true)
  worker.answer(0, 'first')
  await vi.waitFor(() => expect(worker.asks).toHaveLength(2))
  expect(loop.hasRoom()).toBe(false)

  worker.isWaiting = true
  worker.over('first')
  worker.answer(1, 'second')
  await vi.waitFor(() => expect(worker.runs.map(({ id }) => id)).toEqual(['first', 'second']))
  await settled()
  expect(worker.asks).toHaveLength(2)
  worker.isWaiting = false
  worker.over('second')
  await vi.waitFor(() => expect(worker.asks).toHaveLength(4))
})

test('a job that ends brings the next one along where the slots allow it', async () => {
  const { worker } = start({ concurrency: 1 })
  await vi.waitFor(() => expect(worker.asks).toHaveLength(1))
  worker.answer(0, 'first')
  await vi.waitFor(() => expect(worker.runs).toHaveLength(1))
  expect(worker.runs[0]!.mayGoOn()).toBe(true)
  worker.over('first', 'second')
  await vi.waitFor(() => expect(worker.runs.map(({ id }) => id)).toEqual(['first', 'second']))

  worker.concurrency = 0
  expect(worker.runs[1]!.mayGoOn()).toBe(false)
  expect(worker.asks).toHaveLength(1)
})

test('a job that fails beyond BullMQ is told, and the loop goes on', async () => {
  const { worker } = start({ concurrency: 1 })
  await vi.waitFor(() => expect(worker.asks).toHaveLength(1))
  worker.answer(0, 'first')
  await vi.waitFor(() => expect(worker.runs).toHaveLength(1))
  worker.runs[0]!.fail(new Error('lost'))

  await vi.waitFor(() => expect(worker.asks).toHaveLength(2))
  expect(worker.told).toEqual(['error: lost'])
})

test('a worker that closes asks for nothing more, and its loop ends with what is under way', async () => {
  const { worker, ended } = start({ concurrency: 3 })
  await vi.waitFor(() => expect(worker.asks).toHaveLength(1))
  worker.answer(0, 'first')
  await vi.waitFor(() => expect(worker.asks).toHaveLength(2))
  worker.closing = true
  worker.answer(1, undefined)
  await settled()
  expect([worker.asks.length, ended()]).toEqual([2, false])
  worker.over('first')

  await vi.waitFor(() => expect(ended()).toBe(true))
})

/** What can happen without anything further from outside has happened. */
const settled = () => new Promise(setImmediate)

function start({ concurrency }: { concurrency: number }) {
  const worker = new LoopedWorker(concurrency)
  const loop = createMainLoop()
  loop.drive(worker as unknown as Worker)
  let isOver = false
  const running = worker.mainLoop().then(() => {
    isOver = true
  })
  onTestFinished(async () => {
    worker.closing = true
    worker.letAllGo()
    await running
  })
  return { loop, worker, ended: () => isOver }
}

interface Run {
  id: string
  mayGoOn: () => boolean
  end(next: Job | undefined): void
  fail(error: Error): void
}

/** Of BullMQ's worker, what its loop asks; the test answers. */
class LoopedWorker {
  readonly id = 'worker'
  readonly opts = {}
  readonly paused = null
  readonly asks: ((job: Job | undefined) => void)[] = []
  readonly runs: Run[] = []
  readonly told: string[] = []
  concurrency: number
  closing = false
  isWaiting = false

  constructor(concurrency: number) {
    this.concurrency = concurrency
  }
  /** Replaced by the loop under test. */
  mainLoop = async (): Promise<void> => {}
  get waiting() {
    return this.isWaiting ? Promise.resolve(0) : null
  }
  isRateLimited = () => false
  waitForRateLimit = async () => {}
  retryIfFailed = (ask: () => Promise<Job | undefined>) => ask()
  _getNextJob = () => new Promise<Job | undefined>((resolve) => void this.asks.push(resolve))
  processJob = ({ id }: Job, _token: string, mayGoOn: () => boolean) =>
    new Promise<Job | undefined>((end, fail) => void this.runs.push({ id: id!, mayGoOn, end, fail }))
  emit = (event: string, { message }: Error) => void this.told.push(`${event}: ${message}`)

  answer(ask: number, id: string | undefined): void {
    this.asks[ask]!(id === undefined ? undefined : jobOf(id))
  }
  over(id: string, next?: string): void {
    this.runs.find((run) => run.id === id)!.end(next === undefined ? undefined : jobOf(next))
  }
  letAllGo(): void {
    for (const answer of this.asks) answer(undefined)
    for (const { end } of this.runs) end(undefined)
  }
}

function jobOf(id: string): Job {
  return { id, token: id } as Job
}
