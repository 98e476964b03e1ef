/** BullMQ under load on an embedded Valkey that is killed again and again: what was acknowledged, and what is missing. */
import { setTimeout as delay } from 'node:timers/promises'
import { createRedisBackend, type Job, Queue, Worker } from 'bullmq'
import { endBlocking } from '../../src/queues/end-blocking.ts'
import type { RedisClient } from '../../src/redis/connect.ts'
import type { FsyncPolicy } from '../../src/redis/embedded/write-ahead-log.ts'
import { createTestValkey, type TestValkey } from './test-valkey.ts'

export interface KillRoundsOptions {
  /** Where the data directory is made. */
  parent: string
  fsync: FsyncPolicy
  rounds: number
  /** Longest time of load before a kill; how long it is, chance decides. */
  maxLoadMs: number
  onRound?: (tally: KillTally) => void
}

export interface KillTally {
  rounds: number
  /** Answers that came: adds, completions and increments. */
  acknowledged: number
  /** Of those, what is not there after a restart; must be 0. */
  missing: number
  /** Jobs that a worker got a second time, since its answer was under way when the server died. */
  runAgain: number
  /** Longest time from the start of the process until it was ready. */
  slowestStartMs: number
}

const LANES = 32
const PAYLOAD = { text: 'x'.repeat(500) }

export async function runKillRounds(options: KillRoundsOptions): Promise<KillTally> {
  const valkey = await createTestValkey(options.parent, options.fsync)
  const tally: KillTally = { rounds: 0, acknowledged: 0, missing: 0, runAgain: 0, slowestStartMs: 0 }
  const start = async (): Promise<void> => {
    const startedAt = performance.now()
    const { notes } = await valkey.start()
    if (notes.some((note) => note.includes('later writes'))) throw new Error(notes.join())
    tally.slowestStartMs = Math.max(tally.slowestStartMs, performance.now() - startedAt)
  }
  try {
    await start()
    const redis = await valkey.connect()
    for (let round = 1; round <= options.rounds; round += 1) {
      const load = await startLoad(valkey, `round${round}`)
      await delay(Math.random() * options.maxLoadMs)
      await valkey.kill()
      await start()
      const { added, completed, counted, runAgain } = await load.stop()
      tally.rounds = round
      tally.acknowledged += added.length + completed.length + counted
      tally.runAgain += runAgain
      tally.missing += await countMissing(redis, `round${round}`, { added, completed, counted })
      options.onRound?.(tally)
    }
    return tally
  } finally {
    await valkey.close()
  }
}

/** Adds, runs and counts as fast as it can, through the death of the server and on until it is stopped. */
async function startLoad(valkey: TestValkey, name: string) {
  const added: string[] = []
  const completed: string[] = []
  const runs = new Map<string, number>()
  let counted = 0
  let stopped = false
  const producer = await valkey.connect()
  const consumer = await valkey.connect()
  const counter = await valkey.connect()
  const queue = new Queue(name, { connection: producer })
  queue.on('error', () => {})
  const worker = new Worker(
    name,
    async (job: Job) => void runs.set(job.id!, (runs.get(job.id!) ?? 0) + 1),
    { connection: consumer, concurrency: LANES },
    // Its own connection may still wait for its next try when the others are back.
    (...args) => endBlocking(createRedisBackend(...args)),
  )
  worker.on('error', () => {})
  worker.on('completed', (job: Job) => completed.push(job.id!))
  // What fails was not acknowledged; what was under way is sent again.
  const lane = async (lane: number): Promise<void> => {
    for (let i = 0; !stopped; i += 1) {
      const job = await queue.add('job', PAYLOAD, { jobId: `${lane}-${i}` })
      added.push(job.id!)
    }
  }
  const count = async (): Promise<void> => {
    while (!stopped) counted = await counter.incr(`${name}:counter`)
  }
  const all = [...Array.from({ length: LANES }, (_, i) => lane(i)), count()].map((one) => one.catch(() => {}))
  return {
    async stop() {
      stopped = true
      await Promise.all(all)
      await worker.close()
      await queue.close()
      for (const connection of [producer, consumer, counter]) connection.disconnect()
      return { added, completed, counted, runAgain: [...runs.values()].filter((times) => times > 1).length }
    },
  }
}

async function countMissing(
  redis: RedisClient,
  name: string,
  { added, completed, counted }: { added: string[]; completed: string[]; counted: number },
): Promise<number> {
  const pipeline = redis.pipeline()
  for (const id of added) pipeline.exists(`bull:${name}:${id}`)
  for (const id of completed) pipeline.zscore(`bull:${name}:completed`, id)
  const answers = (await pipeline.exec())!
  const there = answers.filter(([error, answer]) => error === null && answer !== null && answer !== 0).length
  const count = Number(await redis.get(`${name}:counter`))
  return answers.length - there + Math.max(0, counted - count)
}
