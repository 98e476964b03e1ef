/** Tasks whose sessions answer at once, from the queue to their result, against a bare BullMQ worker. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { createKeys } from '../../src/redis/keys.ts'
import { type BareQueue, openBareQueue } from '../bare-queue.ts'
import { countCommands } from '../count-commands.ts'
import { interleave } from '../interleave.ts'
import { openTierline } from '../open-tierline.ts'
import { describeRate, measureRate, type Rate, ratioOf } from '../rate.ts'
import type { Bench, Scenario } from '../scenario.ts'
import { ofRounds } from '../statistics.ts'
import { TASK } from '../workload.ts'

const COUNT = 10_000
const FEW = 1_000
const CONCURRENCY = 50
const BATCH = 500
const LOOK_MS = 5
const NAMESPACE = 'path'

export const wholePath: Scenario = {
  name: 'whole-path',
  async run(bench) {
    const { redis, place } = bench
    const tierline = await openTierline(place, NAMESPACE)
    const bare = await openBareQueue(place.redisUrl, 'fast')

    /** Fills the queue, then lets a worker empty it; the clock runs while it does. */
    async function drain(side: Side, count: number): Promise<Rate> {
      await side.fill(count)
      let stop = async () => {}
      const rate = await measureRate(redis, count, async () => {
        stop = await side.work()
        while ((await redis.zcard(side.completed)) < count) await sleep(LOOK_MS)
      })
      await stop()
      await redis.flushall('SYNC')
      return rate
    }

    const ours: Side = {
      completed: `${createKeys(NAMESPACE).queuePrefix}:fast:completed`,
      async fill(count) {
        for (let left = count; left > 0; left -= BATCH) {
          const results = await tierline.enqueueMany(
            Array.from({ length: Math.min(left, BATCH) }, () => TASK),
          )
          for (const result of results) if (result.status === 'refused') throw result.error
        }
      },
      async work() {
        const worker = await tierline.startWorker({ tiers: ['fast'], concurrency: CONCURRENCY })
        return () => worker.close()
      },
    }
    const theirs = bareSide(bare)

    try {
      const rates = await interleave(
        { ours: () => drain(ours, COUNT), bare: () => drain(theirs, COUNT) },
        bench.rounds,
      )
      const commands: number[] = []
      for (let round = 0; round < bench.rounds; round += 1) commands.push(await countPerTask(bench, ours))
      return [
        {
          measure: 'whole path / bare worker',
          ...ratioOf(rates.ours, rates.bare),
          unit: 'ratio',
          target: { atLeast: 0.4 },
          detail: `${describeRate(rates.ours)}; bare worker ${describeRate(rates.bare)}`,
        },
        {
          measure: 'Redis commands per task',
          ...ofRounds(commands),
          unit: 'commands',
          target: { atMost: 12 },
          detail: 'sent from submit to end, each counted as a round trip though many travel together',
        },
      ]
    } finally {
      await tierline.close()
      await bare.close()
    }

    /** Every command that this process sends, from the submit to the end of the task. */
    async function countPerTask({ redis }: Bench, side: Side): Promise<number> {
      const count = countCommands()
      await side.fill(FEW)
      const stop = await side.work()
      let looks = 1
      for (; (await redis.zcard(side.completed)) < FEW; looks += 1) await sleep(LOOK_MS)
      await stop()
      const sent = count.stop() - looks
      await redis.flushall('SYNC')
      return sent / FEW
    }
  },
}

interface Side {
  /** Key of the sorted set that BullMQ puts a job into when all is done. */
  completed: string
  fill(count: number): Promise<void>
  /** Starts a worker; gives the function that stops it. */
  work(): Promise<() => Promise<void>>
}

export function bareSide({ queue, prefix, redisUrl }: BareQueue, concurrency = CONCURRENCY): Side {
  return {
    completed: `${prefix}:${queue.name}:completed`,
    async fill(count) {
      for (let left = count; left > 0; left -= BATCH) {
        const jobs = Array.from({ length: Math.min(left, BATCH) }, () => ({ name: 'lint', data: TASK }))
        await queue.addBulk(jobs)
      }
    },
    async work() {
      const connection = new Redis(redisUrl, { maxRetriesPerRequest: null })
      const worker = new Worker(queue.name, async () => 'done', {
        connection,
        prefix,
        concurrency,
      })
      await worker.waitUntilReady()
      return async () => {
        await worker.close()
        connection.disconnect()
      }
    },
  }
}
