/** From settings to a running orchestrator: configuration, OpenCode, Redis. Shared by library, API and workers. */
import { checkDirectory, checkFileURL, checkOwnDirectory } from '../config/check-directory.ts'
import { allowedRoots, checkExposure } from '../config/check-exposure.ts'
import { checkRepository } from '../config/check-repository.ts'
import { checkVerifiers } from '../config/check-verifiers.ts'
import type { Config } from '../config/config.ts'
import { environmentOfProcess } from '../config/environment.ts'
import { createLiveConfig, type LiveConfig } from '../config/live-config.ts'
import type { Settings } from '../config/settings.ts'
import { isTierlineError, type TierlineError } from '../errors.ts'
import { createOrchestrator, type Orchestrator } from '../orchestrator.ts'
import type { SessionBackend } from '../sessions/backend.ts'
import { firstAnswer } from '../sessions/first-answer.ts'
import { createOpenCodeBackend } from '../sessions/opencode/backend.ts'
import type { Logger } from '../telemetry/logger.ts'
import { runVerifier } from '../verifiers/run-verifier.ts'
import { findServices } from './find-services.ts'

/** A fresh server on a busy machine takes long to say for the first time what it offers. */
const CATALOG_MS = 30_000

export interface Runtime {
  orchestrator: Orchestrator
  config: LiveConfig
  close(): Promise<void>
}

export interface RuntimeOptions {
  settings: Settings
  logger: Logger
  /** Instead of the OpenCode servers of the settings: another `SessionBackend`. */
  backends?: readonly SessionBackend[]
  /** It will listen for requests, so it must not be open to strangers. */
  listens?: boolean
  /** Logs what is odd about settings and table, and each change of it. Default true; of several processes of one `up` one does so. */
  warns?: boolean
}

/**
 * Connects to everything and starts nothing.
 *
 * @throws {TierlineError} `invalid_config`, `service_not_found`, `redis_unavailable`, `redis_unsuitable`.
 */
export async function connectRuntime({
  settings,
  logger,
  backends: given,
  listens = false,
  warns = true,
}: RuntimeOptions): Promise<Runtime> {
  const services = findServices(settings, { openCodeGiven: given !== undefined })
  const backends =
    given ??
    services.openCode.map(({ name, password, ...address }) =>
      createOpenCodeBackend({ ...address, server: name, password: password ?? undefined, logger }),
    )
  const config = await createLiveConfig({
    config: settings.config,
    // A worker or a library need not know which keys the API has, and where its tasks may work.
    ...(listens && {
      around: { keys: settings.apiKeys.map(({ name }) => name), directories: settings.directories },
    }),
    catalog: () =>
      firstAnswer(backends, (backend) => backend.catalog(undefined, AbortSignal.timeout(CATALOG_MS))),
    check(next: Config) {
      if (listens) checkExposure(settings, next)
      checkVerifiers(services.openCode, next)
    },
    onError: (error) => {
      if (warns) reportConfigError(logger, error)
    },
  })
  const roots = () => allowedRoots(settings, config.current())
  const warn = (warnings: readonly string[]) => {
    if (warns) for (const warning of warnings) logger.warn({}, warning)
  }
  warn([...settings.warnings, ...config.current().table.warnings])
  const stopListening = config.onChange(({ table }) => {
    if (warns) logger.info({ generation: table.generation }, 'a new routing table is in force')
    warn(table.warnings)
  })
  try {
    const orchestrator = await createOrchestrator({
      redisUrl: services.redisUrl,
      namespace: settings.namespace,
      backends,
      config,
      checkDirectory: (directory, field) => checkDirectory(directory, roots(), field),
      checkOwnDirectory() {
        const restricted = roots()
        if (restricted === null) return null
        return (directory, server) => checkOwnDirectory(directory, server, restricted)
      },
      checkFile: (url, field) => checkFileURL(url, roots(), field),
      checkRepository,
      verifiers: {
        names: () => [...config.current().verifiers.keys()],
        async run(name, directory, signal) {
          const verifier = config.current().verifiers.get(name)
          if (verifier === undefined) return { passed: false, detail: 'is not in the file any more' }
          return runVerifier(verifier, directory, environmentOfProcess(), signal)
        },
      },
      retry: config.current().retry,
      workerConcurrency: config.current().workerConcurrency,
      takesTurns: settings.apiKeys.length > 1,
      warns,
      log: logger,
    })
    const close = async () => {
      stopListening()
      await orchestrator.close()
      await config.close()
    }
    return { orchestrator, config, close }
  } catch (error) {
    await config.close()
    await Promise.all(backends.map((backend) => backend.close()))
    throw error
  }
}

/** Field by field: a file has as many mistakes as it has. */
function reportConfigError(logger: Logger, error: Error): void {
  const errors = isTierlineError(error) ? (error as TierlineError).errors : []
  logger.error({ errors }, `${error.message}; what was in force stays`)
}
