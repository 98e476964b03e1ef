import type { Settings } from '../config/settings.ts'
import type { Logger } from '../telemetry/logger.ts'
import { connectRuntime } from './connect-runtime.ts'
import { reloadOnSighup } from './reload-on-sighup.ts'
import type { Running } from './running.ts'

/** Retention and the sweepers alone, in this process. */
export async function startMaintenanceRole(settings: Settings, logger: Logger): Promise<Running> {
  const runtime = await connectRuntime({ settings, logger })
  const stopReloading = reloadOnSighup(runtime.config)
  const close = async () => {
    stopReloading()
    await runtime.close()
  }
  try {
    await runtime.orchestrator.startMaintaining()
    return { close }
  } catch (error) {
    await close()
    throw error
  }
}
