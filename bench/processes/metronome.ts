/** A worker of tierline's whose sessions speak at a steady pace. */
import { createTierline, type Tierline } from '../../src/index.ts'
import { answerQuestions } from '../bench-process.ts'
import { ownCpuMicros } from '../cpu-time.ts'
import { createMetronome } from '../metronome-backend.ts'
import type { Place } from '../scenario.ts'

const metronome = createMetronome()
let tierline: Tierline | undefined

async function start({ redisUrl, config, directory, namespace }: Place & { namespace: string }) {
  tierline = await createTierline({
    redisUrl,
    namespace,
    config,
    dataDir: directory,
    backends: [metronome.backend],
  })
  await tierline.startWorker({ tiers: ['stream'] })
}

const handlers = answerQuestions(
  {
    start,
    gathered: metronome.gathered,
    begin: metronome.begin,
    cpuMicros: () => ownCpuMicros(),
  },
  async () => tierline?.close(),
)
export type MetronomeHandlers = typeof handlers
