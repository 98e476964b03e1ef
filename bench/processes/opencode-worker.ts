/** A worker of tierline's with a real OpenCode, in a process of its own as in production. */
import { createTierline, type Tierline } from '../../src/index.ts'
import { answerQuestions } from '../bench-process.ts'
import type { Place } from '../scenario.ts'

let tierline: Tierline | undefined

interface Start extends Place {
  namespace: string
  opencodeUrl: string
}

async function start({ redisUrl, config, directory, namespace, opencodeUrl }: Start): Promise<void> {
  tierline = await createTierline({ redisUrl, namespace, config, dataDir: directory, opencodeUrl })
  await tierline.startWorker()
}

const handlers = answerQuestions({ start }, async () => tierline?.close())
export type OpenCodeWorkerHandlers = typeof handlers
