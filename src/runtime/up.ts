/** Everything on this machine: services under a guardian, API and workers as children. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { OpenCodeServer } from '../config/opencode-servers.ts'
import type { Settings } from '../config/settings.ts'
import { maskRedisUrl } from '../redis/redis-url.ts'
import { lockDataDir } from '../services/data-dir-lock.ts'
import { startGuardian } from '../services/guardian.ts'
import type { ServiceEvent } from '../services/guardian-message.ts'
import { openCodeService } from '../services/opencode-service.ts'
import { redisService } from '../services/redis-service.ts'
import type { ServiceSpec } from '../services/service-spec.ts'
import { removeServices, writeServices } from '../services/services-file.ts'
import type { Logger } from '../telemetry/logger.ts'
import { startChildRole } from './child-role.ts'

export interface UpOptions {
  settings: Settings
  logger: Logger
  environment: Readonly<Record<string, string | undefined>>
  /** The self-started OpenCode server's working directory. */
  projectDir: string
  concurrency?: number | undefined
  /** What is to run beside, under the same guardian; started before OpenCode. */
  beside?: readonly ServiceSpec[]
  /** For an OpenCode that knows nothing of this user: where it keeps what it writes, and its configuration. */
  isolated?: { dir: string; config(outputs: ReadonlyMap<string, unknown>): Record<string, unknown> }
  /** Says what is being waited for. */
  progress(sentence: string): void
}

export interface Up {
  /** `http://127.0.0.1:4400` */
  url: string
  /** Which Redis it is: its engine, or the masked URL of one that was there. */
  redis: string
  openCode: readonly OpenCodeServer[]
  /** Output lines of the services beside, by name. */
  outputs: ReadonlyMap<string, unknown>
  reload(): void
  /** In order: children, then services, then the lock. May be called twice. */
  stop(): Promise<void>
}

/** @throws {TierlineError} `data_dir_locked`, `service_not_found`, `service_failed`, `invalid_config`; nothing is left running then. */
export async function startUp(options: UpOptions): Promise<Up> {
  const { settings, logger, environment, progress } = options
  const { dataDir } = settings
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const lock = await lockDataDir(dataDir)
  const closers: (() => Promise<void> | void)[] = [() => lock.release()]
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= (async () => {
      for (const close of closers.reverse()) await close()
    })()
    return stopped
  }
  try {
    const guardian = await startGuardian({
      logFile: join(dataDir, 'logs', 'guardian.log'),
      onEvent: (event) => onServiceEvent(event),
    })
    closers.push(() => guardian.stop())
    lock.hold('guardian', guardian.pid)
    const outputs = new Map<string, unknown>()

    const redis = settings.redisUrl === undefined ? await redisService({ dataDir, environment }) : undefined
    const redisUrl = settings.redisUrl ?? redis!.url
    if (redis !== undefined) {
      progress(`starting Redis (${redis.engine})`)
      await guardian.start(redis.spec)
      if (redis.warning !== undefined) logger.warn({}, redis.warning)
    }
    for (const spec of options.beside ?? []) outputs.set(spec.name, (await guardian.start(spec)).output)

    let openCode = settings.openCode
    if (openCode.length === 0) {
      progress('starting OpenCode')
      const service = await openCodeService({
        dataDir,
        projectDir: options.projectDir,
        environment,
        ...(options.isolated && {
          isolatedDir: options.isolated.dir,
          config: options.isolated.config(outputs),
        }),
      })
      await guardian.start(service.spec)
      openCode = [service.server]
    }

    const services = {
      redis: { url: redisUrl },
      opencode: openCode.map((server) => ({ ...server, password: server.password ?? '' })),
    }
    writeServices(dataDir, services)
    closers.push(() => removeServices(dataDir))
    const roleSettings = { settings: { ...settings, redisUrl, openCode } }
    progress('starting API and workers')
    const api = await startChildRole('api', roleSettings, logger)
    closers.push(() => api.stop())
    writeServices(dataDir, { ...services, api: { url: api.url! } })
    const tasks = await startChildRole(
      'tasks',
      { ...roleSettings, ...(options.concurrency !== undefined && { concurrency: options.concurrency }) },
      logger,
    )
    closers.push(() => tasks.stop())
    return {
      url: api.url!,
      redis: redis?.engine ?? maskRedisUrl(redisUrl),
      openCode,
      outputs,
      reload() {
        for (const role of [api, tasks]) role.signal('SIGHUP')
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }

  function onServiceEvent(event: ServiceEvent): void {
    if (event.type === 'ready') {
      lock.hold(event.name, event.pid)
      if (event.restarts > 0)
        logger.warn({ service: event.name, restarts: event.restarts }, 'a service was started again')
    } else if (event.type === 'exited')
      logger.warn({ service: event.name }, `a service ended: ${event.exit}; it is started again`)
    else if (stopped === undefined) logger.error({ service: event.name }, event.message)
  }
}
