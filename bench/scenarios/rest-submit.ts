/**
 * `POST /v1/tasks` on a real server, 64 connections, against BullMQ's own `Queue.add`, 64 in flight.
 *
 * Beside it the least that could answer such a request, a bare `node:http` that calls `Queue.add`: what HTTP costs.
 */
import { openBareQueue } from '../bare-queue.ts'
import { startProcess } from '../bench-process.ts'
import { interleave } from '../interleave.ts'
import type { ApiHandlers } from '../processes/api.ts'
import type { BareHttpHandlers } from '../processes/bare-http.ts'
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
    const bareHttp = startProcess<BareHttpHandlers>('bare-http')
    const submitter = startProcess<SubmitterHandlers>('submitter')
    try {
      const ours = await api.ask('start', { ...place, namespace: 'rest' })
      const least = await bareHttp.ask('start', place)
      const clientMicros: number[] = []
      const submitTo = async (url: string, cpuMicros: () => Promise<number>) => {
        const submit = async () => {
          const client = await submitter.ask('submit', { url, body: TASK, count: COUNT, width: WIDTH })
          clientMicros.push(client.cpuMicros / COUNT)
        }
        const measured = await measureRate(redis, COUNT, submit, cpuMicros)
        await redis.flushall('SYNC')
        return measured
      }
      const add = async () => {
        const once = () => bare.queue.add('lint', TASK)
        const measured = await measureRate(redis, COUNT, () => inFlight(WIDTH, COUNT, once))
        await redis.flushall('SYNC')
        return measured
      }
      const rates = await interleave(
        {
          ours: () => submitTo(ours.url, () => api.ask('cpuMicros', undefined)),
          least: () => submitTo(least.url, () => bareHttp.ask('cpuMicros', undefined)),
          bare: add,
        },
        bench.rounds,
      )
      const client = Math.round(median(clientMicros))
      return [
        {
          measure: 'POST /v1/tasks / Queue.add',
          ...ratioOf(rates.ours, rates.bare),
          unit: 'ratio',
          target: { atLeast: 0.4 },
          detail: `${describeRate(rates.ours)}, its client ${client} µs; Queue.add ${describeRate(rates.bare)}`,
        },
        {
          measure: 'bare node:http + Queue.add / Queue.add',
          ...ratioOf(rates.least, rates.bare),
          unit: 'ratio',
          detail: `what HTTP leaves on this machine, without a record: ${describeRate(rates.least)}`,
        },
      ]
    } finally {
      await submitter.stop()
      await api.stop()
      await bareHttp.stop()
      await bare.close()
    }
  },
}
