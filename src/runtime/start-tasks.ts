import type { Settings } from '../config/settings.ts'
import type { WorkerOptions } from '../orchestrator.ts'
import type { Logger } from '../telemetry/logger.ts'
import { connectRuntime } from './connect-runtime.ts'
import { reloadOnSighup } from './reload-on-sighup.ts'
import type { Running } from './running.ts'

export interface TasksOptions extends WorkerOptions {
  /** As in `RuntimeOptions`. */
  warns?: boolean
}

/** Workers for the tiers, in this process; it also takes part in the election for maintenance. */
export async function startTasks(
  settings: Settings,
  logger: Logger,
  { warns = true, ...options }: TasksOptions,
): Promise<Running> {
  const runtime = await connectRuntime({ settings, logger, warns })
  const stopReloading = reloadOnSighup(runtime.config)
  try {
    const worker = await runtime.orchestrator.startWorker(options)
    await runtime.orchestrator.startMaintaining()
    return {
      async close(graceMs) {
        stopReloading()
        await worker.close(graceMs)
        await runtime.close()
      },
    }
  } catch (error) {
    stopReloading()
    await runtime.close()
    throw error
  }
}
