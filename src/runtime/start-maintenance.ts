import type { Settings } from '../config/settings.ts'
import type { Logger } from '../telemetry/logger.ts'
import { connectRuntime } from './connect-runtime.ts'
import type { Running } from './running.ts'

/** Retention and the sweeper alone, in this process. */
export async function startMaintenanceRole(settings: Settings, logger: Logger): Promise<Running> {
  const runtime = await connectRuntime({ settings, logger })
  await runtime.orchestrator.startMaintaining()
  return { close: () => runtime.close() }
}
