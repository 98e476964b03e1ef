import type { Settings } from '../config/settings.ts'
import { createHttpServer } from '../http/server.ts'
import type { Logger } from '../telemetry/logger.ts'
import { version } from '../version.ts'
import { connectRuntime } from './connect-runtime.ts'
import { reloadOnSighup } from './reload-on-sighup.ts'
import type { Running } from './running.ts'

/** JSON escapes and everything around the prompt; a batch of small tasks fits too. */
const BODY_BYTES_PER_PROMPT_BYTE = 2
const BODY_BYTES_AROUND = 8 * 1024 * 1024

/** The API and the board, in this process. */
export async function startApi(settings: Settings, logger: Logger): Promise<Running & { url: string }> {
  const runtime = await connectRuntime({ settings, logger, listens: true })
  const { limits, http } = runtime.config.current()
  const server = createHttpServer({
    host: settings.host,
    port: settings.port,
    apiKeys: settings.apiKeys,
    allowedHosts: http.allowedHosts,
    corsOrigins: http.corsOrigins,
    maxBodyBytes: limits.maxPromptBytes * BODY_BYTES_PER_PROMPT_BYTE + BODY_BYTES_AROUND,
    board: true,
    version,
    logger,
    ports: runtime.orchestrator,
  })
  const stopReloading = reloadOnSighup(runtime.config)
  const close = async () => {
    stopReloading()
    await server.close()
    await runtime.close()
  }
  try {
    return { ...(await server.listen()), close }
  } catch (error) {
    await close()
    throw error
  }
}
