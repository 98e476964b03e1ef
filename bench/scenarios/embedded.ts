/** The embedded Valkey against the redis-server of the PATH, each synced every second, under BullMQ alone. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import type { RedisClient } from '../../src/redis/connect.ts'
import { createTestValkey, type TestValkey } from '../../test/redis/test-valkey.ts'
import { openBareQueue } from '../bare-queue.ts'
import { interleave } from '../interleave.ts'
import { inFlight, measureRate, type Rate, ratioOf } from '../rate.ts'
import type { Finding, Scenario } from '../scenario.ts'
import { ofRounds, percentile } from '../statistics.ts'
import { TASK } from '../workload.ts'

const COUNT = 10_000
const WIDTH = 64
const CONCURRENCY = 50
/** One job at a time: so many each time that a server has its turn, and so many turns in a round. */
const TURN_JOBS = 50
const TURNS = 20
const WAITING = 100_000
const BATCH = 500
const LOOK_MS = 5
const QUEUE = 'embedded'

interface Round {
  add: Rate
  work: Rate
  /** From the add until the worker has it, one job at a time. */
  latencyMs: number
}

type Side = 'ours' | 'theirs'

/** A server under load no more, with the jobs that it has done. */
interface Worked extends Omit<Round, 'latencyMs'> {
  /** Adds jobs, each when the one before it has begun; gives the milliseconds that each took to begin. */
  oneByOne(): Promise<number[]>
  close(): Promise<void>
}

export const embedded: Scenario = {
  name: 'embedded',
  async run({ place, redis, rounds }) {
    const valkey = await createTestValkey(place.directory, 'everysec')
    try {
      await valkey.start()
      await sleep(2_000)
      const idleMB = residentMB(valkey.pid())
      const client = await valkey.connect()
      const measured = await measureRounds(
        { ours: () => work(valkey.url, client), theirs: () => work(place.redisUrl, redis) },
        rounds,
      )
      return [
        ...compare(measured),
        {
          ...finding('embedded: idle', [idleMB], 120),
          unit: 'MB',
          detail: 'resident, two seconds after its start',
        },
        await measureRestarts(valkey, client, rounds),
      ]
    } finally {
      await valkey.close()
    }
  },
}

function compare({ ours, theirs }: Record<Side, Round[]>): Finding[] {
  const ratio = (what: 'add' | 'work', measure: string, atLeast: number): Finding => {
    const [a, b] = [ours, theirs].map((side) => side.map((round) => round[what]))
    const detail = `${perSecond(a!)}; redis-server ${perSecond(b!)}`
    return { measure, ...ratioOf(a!, b!), unit: 'ratio', target: { atLeast }, detail }
  }
  const latencies = ours.map(({ latencyMs }, round) => latencyMs / theirs[round]!.latencyMs)
  const middle = (side: Round[]) => ofRounds(side.map(({ latencyMs }) => latencyMs)).value.toFixed(2)
  return [
    ratio('add', 'embedded: Queue.add / redis-server', 0.5),
    ratio('work', 'embedded: worker / redis-server', 0.6),
    {
      measure: 'embedded: p50 to start / redis-server',
      ...ofRounds(latencies),
      unit: 'ratio',
      target: { atMost: 2 },
      detail: `${middle(ours)} ms, redis-server ${middle(theirs)} ms, one job at a time`,
    },
  ]
}

/** Without CPU times: WebAssembly is told the clock on the wall instead. */
function perSecond(rates: Rate[]): string {
  return `${Math.round(ofRounds(rates.map((rate) => rate.perSecond)).value).toLocaleString('en')}/s`
}

/** As `interleave`; the latencies of a round are taken in turns, for they are small and the machine changes its speed. */
async function measureRounds(
  start: Record<Side, () => Promise<Worked>>,
  rounds: number,
): Promise<Record<Side, Round[]>> {
  const samples: Record<Side, Round[]> = { ours: [], theirs: [] }
  const names: readonly Side[] = ['ours', 'theirs']
  for (let round = 0; round <= rounds; round += 1) {
    const worked = {} as Record<Side, Worked>
    for (const name of round % 2 === 0 ? names : names.toReversed()) worked[name] = await start[name]()
    const { ours, theirs } = worked
    const turns = await interleave({ ours: ours.oneByOne, theirs: theirs.oneByOne }, TURNS)
    for (const name of names) {
      const { add, work, close } = worked[name]
      if (round > 0) samples[name].push({ add, work, latencyMs: percentile(turns[name].flat(), 50) })
      await close()
    }
  }
  return samples
}

async function work(url: string, redis: RedisClient): Promise<Worked> {
  const bare = await openBareQueue(url, QUEUE)
  const connection = new Redis(url, { maxRetriesPerRequest: null })
  const startWorker = (run: () => void) =>
    new Worker(QUEUE, async () => run(), { connection, prefix: bare.prefix, concurrency: CONCURRENCY })
  const add = await measureRate(redis, COUNT, () =>
    inFlight(WIDTH, COUNT, () => bare.queue.add('lint', TASK)),
  )
  let worker = startWorker(() => {})
  const completed = `${bare.prefix}:${QUEUE}:completed`
  const worked = await measureRate(redis, COUNT, async () => {
    while ((await redis.zcard(completed)) < COUNT) await sleep(LOOK_MS)
  })
  await worker.close()

  let started = () => {}
  worker = startWorker(() => started())
  await worker.waitUntilReady()
  return {
    add,
    work: worked,
    async oneByOne() {
      const latencies: number[] = []
      for (let i = 0; i < TURN_JOBS; i += 1) {
        const addedAt = performance.now()
        const running = new Promise<void>((resolve) => {
          started = resolve
        })
        await bare.queue.add('lint', TASK)
        await running
        latencies.push(performance.now() - addedAt)
      }
      return latencies
    },
    async close() {
      await worker.close()
      connection.disconnect()
      await bare.close()
      await redis.flushall('SYNC')
    },
  }
}

/** After a kill -9, so with a log to replay. */
async function measureRestarts(valkey: TestValkey, client: RedisClient, rounds: number): Promise<Finding> {
  const { queue, close } = await openBareQueue(valkey.url, QUEUE)
  // That it is away while it starts again is no news.
  queue.on('error', () => {})
  for (let left = WAITING; left > 0; left -= BATCH)
    await queue.addBulk(Array.from({ length: BATCH }, () => ({ name: 'lint', data: TASK })))
  const durations: number[] = []
  let bytes = 0
  for (let round = 0; round < rounds; round += 1) {
    await valkey.kill()
    const startedAt = performance.now()
    bytes = (await valkey.start()).bytes
    durations.push(performance.now() - startedAt)
  }
  const waiting = await queue.getWaitingCount()
  if (waiting !== WAITING) throw new Error(`${waiting} of ${WAITING} jobs are there after a restart`)
  await client.flushall('SYNC')
  await close()
  return {
    ...finding('embedded: restart', durations, 3_000),
    unit: 'ms',
    detail: `after a kill -9 with 100,000 jobs waiting, ${Math.round(bytes / 1e6)} MB on the disk`,
  }
}

function finding(measure: string, values: number[], atMost: number) {
  return { measure, ...ofRounds(values), target: { atMost } }
}

function residentMB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return (Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1_024) / 1e6
}
