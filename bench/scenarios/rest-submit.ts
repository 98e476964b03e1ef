/** `POST /v1/tasks` on a real server, 64 connections, against BullMQ's own `Queue.add`, 64 in flight. */
import { openBareQueue } from '../bare-queue.ts'
import { startProcess } from '../bench-process.ts'
import { interleave } from '../interleave.ts'
import type { ApiHandlers } from '../processes/api.ts'
import type { SubmitterHandlers } from '../processes/submitter.ts'
import { describeRate, inFlight, measureRate, ratioOf } from '../rate.ts'
import type { Scenario } from '../scenario.ts'
import { median } from '../statistics.ts'
import { TASK } from '../workload.ts'

const COUNT = 10_000
const WIDTH = 64

export const restSubmit: Scenario = {
  name: 'rest-submit',
  async run(bench) {
    const { redis, place } = bench
    const bare = await openBareQueue(place.redisUrl, 'fast')
    const api = startProcess<ApiHandlers>('api')
    const submitter = startProcess<SubmitterHandlers>('submitter')
    try {
      const { url } = await api.ask('start', { ...place, namespace: 'rest' })
      const clientMicros: number[] = []
      const rest = async () => {
        const submit = async () => {
          const { cpuMicros } = await submitter.ask('submit', { url, body: TASK, count: COUNT, width: WIDTH })
          clientMicros.push(cpuMicros / COUNT)
        }
        const measured = await measureRate(redis, COUNT, submit, () => api.ask('cpuMicros', undefined))
        await redis.flushall('SYNC')
        return measured
      }
      const add = async () => {
        const once = () => bare.queue.add('lint', TASK)
        const measured = await measureRate(redis, COUNT, () => inFlight(WIDTH, COUNT, once))
        await redis.flushall('SYNC')
        return measured
      }
      const rates = await interleave({ ours: rest, bare: add }, bench.rounds)
      const client = Math.round(median(clientMicros))
      return [
        {
          measure: 'POST /v1/tasks / Queue.add',
          ...ratioOf(rates.ours, rates.bare),
          unit: 'ratio',
          target: { atLeast: 0.4 },
          detail: `${describeRate(rates.ours)}, its client ${client} µs; Queue.add ${describeRate(rates.bare)}`,
        },
      ]
    } finally {
      await submitter.stop()
      await api.stop()
      await bare.close()
    }
  },
}
