/** 200 models that speak at once: how late the last process of the chain hears of each delta. */
import { startProcess } from '../bench-process.ts'
import { redisCpuMicros } from '../cpu-time.ts'
import { interleave } from '../interleave.ts'
import type { Beat } from '../metronome-backend.ts'
import { openTierline } from '../open-tierline.ts'
import type { ApiHandlers } from '../processes/api.ts'
import type { Heard, ListenerHandlers } from '../processes/listener.ts'
import type { MetronomeHandlers } from '../processes/metronome.ts'
import type { Scenario } from '../scenario.ts'
import { median, ofRounds } from '../statistics.ts'

const STREAMS = 200
/** 50 a second, for six seconds; the first second is over when the last stream begins. */
const BEAT: Beat = { startEveryMs: 5, deltaEveryMs: 20, deltas: 300 }
const NAMESPACE = 'relay'

type Cpu = Record<'worker' | 'api' | 'listener' | 'redis', number>

export const relay: Scenario = {
  name: 'relay',
  async run({ place, redis, rounds }) {
    const there = { ...place, namespace: NAMESPACE }
    const tierline = await openTierline(place, NAMESPACE)
    const api = startProcess<ApiHandlers>('api')
    const worker = startProcess<MetronomeHandlers>('metronome')
    const listener = startProcess<ListenerHandlers>('listener')

    const cpuMicros = async (): Promise<Cpu> => ({
      worker: await worker.ask('cpuMicros', undefined),
      api: await api.ask('cpuMicros', undefined),
      listener: await listener.ask('cpuMicros', undefined),
      redis: await redisCpuMicros(redis),
    })

    async function round(url: string): Promise<Heard & { cpu: Cpu }> {
      const handles = await Promise.all(
        Array.from({ length: STREAMS }, () => tierline.enqueue({ type: 'stream', prompt: 'Speak.' })),
      )
      await worker.ask('gathered', STREAMS)
      await listener.ask('follow', { url, ids: handles.map(({ id }) => id) })
      const before = await cpuMicros()
      await worker.ask('begin', BEAT)
      const after = await cpuMicros()
      const heard = await listener.ask('heard', { deltas: BEAT.deltas })
      const share = (who: keyof Cpu) => (after[who] - before[who]) / (STREAMS * BEAT.deltas)
      const cpu = {
        worker: share('worker'),
        api: share('api'),
        listener: share('listener'),
        redis: share('redis'),
      }
      return { ...heard, cpu }
    }

    try {
      const { url } = await api.ask('start', there)
      await worker.ask('start', there)
      const { relay } = await interleave({ relay: () => round(url) }, rounds)
      const of = (pick: (round: Heard & { cpu: Cpu }) => number) => ofRounds(relay.map(pick))
      const middle = (pick: (round: Heard & { cpu: Cpu }) => number) => median(relay.map(pick))
      const cpu = (who: keyof Cpu) => `${Math.round(middle((round) => round.cpu[who]))} µs in the ${who}`
      return [
        {
          measure: 'relay: added p99',
          ...of((round) => round.p99Ms),
          unit: 'ms',
          target: { atMost: 40 },
          detail:
            `${STREAMS} streams, ${1000 / BEAT.deltaEveryMs} deltas/s each; p50 ${middle((round) => round.p50Ms).toFixed(1)} ms; ` +
            `CPU per delta ${cpu('worker')}, ${cpu('redis')}, ${cpu('api')}, ${cpu('listener')}`,
        },
        {
          measure: 'relay: first delta p99',
          ...of((round) => round.firstP99Ms),
          unit: 'ms',
          target: { atMost: 15 },
          detail: `one more stream begins every ${BEAT.startEveryMs} ms; p50 ${middle((round) => round.firstP50Ms).toFixed(1)} ms`,
        },
        {
          measure: 'relay: deltas lost',
          ...of((round) => round.lost),
          unit: 'lost',
          target: { atMost: 0 },
          detail: `of ${(STREAMS * BEAT.deltas).toLocaleString('en')} a round; twice or out of order counts as lost`,
        },
      ]
    } finally {
      await listener.stop()
      await worker.stop()
      await api.stop()
      await tierline.close()
    }
  },
}
