/** The HTTP server as `tierline serve` runs it, with sessions that do nothing: for benchmarks of the API. */
import { readSettings } from '../../src/config/settings.ts'
import { createHttpServer } from '../../src/http/server.ts'
import { connectRuntime } from '../../src/runtime/connect-runtime.ts'
import { createOpenCodeBackend } from '../../src/sessions/opencode/backend.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { answerQuestions } from '../bench-process.ts'
import { ownCpuMicros } from '../cpu-time.ts'
import { createNoopBackend } from '../noop-backend.ts'
import type { Place } from '../scenario.ts'

const closers: (() => Promise<void>)[] = []

interface Start extends Place {
  namespace: string
  /** Instead of sessions that do nothing: a server that is asked. */
  opencodeUrl?: string
}

async function start({ redisUrl, config, directory, namespace, opencodeUrl }: Start) {
  const logger = createLogger({ level: 'warn', format: 'json' })
  const settings = readSettings({}, { redisUrl, namespace, config, dataDir: directory, port: 0 })
  const backend =
    opencodeUrl === undefined
      ? createNoopBackend()
      : createOpenCodeBackend({ server: 'local', url: opencodeUrl, username: '', password: undefined })
  const runtime = await connectRuntime({ settings, logger, backends: [backend] })
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
