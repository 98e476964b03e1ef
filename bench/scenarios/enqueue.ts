/** `enqueue()` of the library against BullMQ's own `Queue.add`, 64 in flight. */
import { openBareQueue } from '../bare-queue.ts'
import { interleave } from '../interleave.ts'
import { openTierline } from '../open-tierline.ts'
import { describeRate, inFlight, measureRate, ratioOf } from '../rate.ts'
import type { Scenario } from '../scenario.ts'
import { TASK } from '../workload.ts'

const COUNT = 10_000
const WIDTH = 64

export const enqueue: Scenario = {
  name: 'enqueue',
  async run(bench) {
    const { redis, place } = bench
    const tierline = await openTierline(place, 'enqueue')
    const bare = await openBareQueue(place.redisUrl, 'fast')
    const rate = async (once: () => Promise<unknown>) => {
      const measured = await measureRate(redis, COUNT, () => inFlight(WIDTH, COUNT, once))
      await redis.flushall('SYNC')
      return measured
    }
    try {
      const rates = await interleave(
        {
          ours: () => rate(() => tierline.enqueue(TASK)),
          bare: () => rate(() => bare.queue.add('lint', TASK)),
        },
        bench.rounds,
      )
      return [
        {
          measure: 'enqueue() / Queue.add',
          ...ratioOf(rates.ours, rates.bare),
          unit: 'ratio',
          target: { atLeast: 0.65 },
          detail: `${describeRate(rates.ours)}; Queue.add ${describeRate(rates.bare)}`,
        },
      ]
    } finally {
      await tierline.close()
      await bare.close()
    }
  },
}
