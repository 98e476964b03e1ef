/** The HTTP server as `tierline serve` runs it, with sessions that do nothing: for benchmarks of the API. */
import { readSettings } from '../../src/config/settings.ts'
import { createHttpServer } from '../../src/http/server.ts'
import { connectRuntime } from '../../src/runtime/connect-runtime.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { answerQuestions } from '../bench-process.ts'
import { ownCpuMicros } from '../cpu-time.ts'
import { createNoopBackend } from '../noop-backend.ts'
import type { Place } from '../scenario.ts'

const closers: (() => Promise<void>)[] = []

async function start({ redisUrl, config, directory, namespace }: Place & { namespace: string }) {
  const logger = createLogger({ level: 'warn', format: 'json' })
  const settings = readSettings({}, { redisUrl, namespace, config, dataDir: directory, port: 0 })
  const runtime = await connectRuntime({ settings, logger, backends: [createNoopBackend()] })
  closers.unshift(() => runtime.close())
  const server = createHttpServer({
    host: settings.host,
    port: settings.port,
    apiKeys: [],
    allowedHosts: [],
    corsOrigins: [],
    maxBodyBytes: 1024 * 1024,
    board: true,
    version: 'bench',
    logger,
    ports: runtime.orchestrator,
  })
  closers.unshift(() => server.close())
  return server.listen()
}

const handlers = answerQuestions({ start, cpuMicros: () => ownCpuMicros() }, async () => {
  for (const close of closers) await close()
})
export type ApiHandlers = typeof handlers
