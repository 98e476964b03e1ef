/** From the question to the first and the last token of a real OpenCode: through tierline, and without it. */
import { startOpenCodeServer } from '../../test/setup/opencode-server.ts'
import { startProcess } from '../bench-process.ts'
import { clockMs } from '../clock.ts'
import { interleave } from '../interleave.ts'
import { openTierline } from '../open-tierline.ts'
import { openDirectly, type Timing } from '../opencode-direct.ts'
import type { OpenCodeWorkerHandlers } from '../processes/opencode-worker.ts'
import type { ProviderHandlers } from '../processes/provider.ts'
import type { Finding, Scenario } from '../scenario.ts'
import { median, ofRounds } from '../statistics.ts'

const NAMESPACE = 'token'
const SAMPLES = 12
const WARM_UP = 5
/** Twenty words, one each 20 ms; as from a real model, the end comes with the last. */
const PROMPT = Array.from({ length: 20 }, (_, index) => `@say:word${index}`).join(' @delay:20 ')

export const firstToken: Scenario = {
  name: 'first-token',
  async run({ place, rounds }) {
    const closers: (() => unknown)[] = []
    try {
      const provider = startProcess<ProviderHandlers>('provider')
      closers.unshift(provider.stop)
      const { url: providerUrl } = await provider.ask('start', undefined)
      const server = await startOpenCodeServer({ providerUrl })
      closers.unshift(server.stop)
      const worker = startProcess<OpenCodeWorkerHandlers>('opencode-worker')
      closers.unshift(worker.stop)
      const opencodeUrl = server.url.replace('//', `//${server.username}:${server.password}@`)
      await worker.ask('start', { ...place, namespace: NAMESPACE, opencodeUrl })
      const tierline = await openTierline(place, NAMESPACE)
      closers.unshift(tierline.close)
      const direct = await openDirectly({ ...server, model: { providerID: 'acme', modelID: 'nano' } })
      closers.unshift(direct.close)

      const through = async (): Promise<Timing> => {
        const startedAt = clockMs()
        const timing = { firstMs: 0, lastMs: 0, endMs: 0 }
        const task = await tierline.enqueue({ type: 'lint', prompt: PROMPT })
        for await (const item of task.events()) {
          const passedMs = clockMs() - startedAt
          if (item.type === 'text-delta') {
            timing.firstMs ||= passedMs
            timing.lastMs = passedMs
          } else if (item.type === 'end') {
            if (item.state !== 'succeeded') throw new Error(`A task is ${item.state}`)
            timing.endMs = passedMs
          }
        }
        return timing
      }
      const sides = { ours: through, direct: () => direct.ask(PROMPT) }
      await interleave(sides, WARM_UP)
      const measured: Record<keyof typeof sides, Timing[]>[] = []
      for (let round = 0; round < rounds; round += 1) measured.push(await interleave(sides, SAMPLES))

      const finding = (what: string, pick: (timing: Timing) => number): Finding => {
        const ours = measured.map((round) => median(round.ours.map(pick)))
        const baseline = measured.map((round) => median(round.direct.map(pick)))
        return {
          measure: `${what}, added p50`,
          ...ofRounds(ours.map((ms, round) => ms - baseline[round]!)),
          unit: 'ms',
          detail: `${median(ours).toFixed(1)} ms from the submit on, ${median(baseline).toFixed(1)} ms directly; ${rounds * SAMPLES} of each`,
        }
      }
      return [
        { ...finding('first token', ({ firstMs }) => firstMs), target: { atMost: 10 } },
        { ...finding('last token', ({ lastMs }) => lastMs), target: { atMost: 10 } },
        finding('known to be over', ({ endMs }) => endMs),
      ]
    } finally {
      for (const close of closers) await close()
    }
  },
}
