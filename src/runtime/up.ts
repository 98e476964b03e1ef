/** Everything on this machine: services under a guardian, API and workers as children. */
import { join } from 'node:path'
import { ownDirectoryWarning } from '../config/check-directory.ts'
import type { OpenCodeServer } from '../config/opencode-servers.ts'
import type { Settings } from '../config/settings.ts'
import { TierlineError } from '../errors.ts'
import { maskRedisUrl } from '../redis/redis-url.ts'
import { lockDataDir } from '../services/data-dir-lock.ts'
import { type Guardian, startGuardian } from '../services/guardian.ts'
import type { ServiceEvent } from '../services/guardian-message.ts'
import { makeDataDir } from '../services/make-data-dir.ts'
import { openCodeService } from '../services/opencode-service.ts'
import { redisService } from '../services/redis-service.ts'
import type { ServiceSpec } from '../services/service-spec.ts'
import { removeServices, writeServices } from '../services/services-file.ts'
import type { Logger } from '../telemetry/logger.ts'
import { checkBeforeStart } from './check-before-start.ts'
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
  /** Gives up between two steps, and while Redis and OpenCode start. */
  signal: AbortSignal
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
  /** Resolves when a service is given up: nothing works without it. */
  failed: Promise<TierlineError>
  reload(): void
  /** In order: children, then services, then the lock. May be called twice. */
  stop(): Promise<void>
}

/** @throws {TierlineError} `data_dir_locked`, `service_not_found`, `service_failed`, `invalid_config`; nothing is left running then. */
export async function startUp(options: UpOptions): Promise<Up> {
  const { settings, logger, environment, concurrency, signal, progress } = options
  const { dataDir } = settings
  makeDataDir(dataDir)
  const roots = await checkBeforeStart(settings)
  const lock = await lockDataDir(dataDir)
  const failed = Promise.withResolvers<TierlineError>()
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
    signal.throwIfAborted()

    progress('starting Redis and OpenCode')
    // A large Redis loads for minutes, and an OpenCode that hangs has one: who gives up need not wait for that.
    const giveUp = () => void guardian.stop()
    signal.addEventListener('abort', giveUp)
    const [redis, openCode] = await allOrThrow([startRedis(guardian), startOpenCode(guardian, outputs)])
    signal.removeEventListener('abort', giveUp)
    signal.throwIfAborted()
    const services = {
      redis: { url: redis.url },
      opencode: openCode.map((server) => ({ ...server, password: server.password ?? '' })),
    }
    writeServices(dataDir, services)
    closers.push(() => removeServices(dataDir))

    progress('starting API and workers')
    const roleSettings = { settings: { ...settings, redisUrl: redis.url, openCode } }
    const child = async (role: 'api' | 'tasks', more = {}) => {
      const started = await startChildRole(role, { ...roleSettings, ...more }, logger)
      closers.push(() => started.stop())
      return started
    }
    const [api, tasks] = await allOrThrow([
      child('api'),
      child('tasks', concurrency === undefined ? {} : { concurrency }),
    ])
    signal.throwIfAborted()
    writeServices(dataDir, { ...services, api: { url: api.url! } })
    return {
      url: api.url!,
      redis: redis.engine ?? maskRedisUrl(redis.url),
      openCode,
      outputs,
      failed: failed.promise,
      reload() {
        for (const role of [api, tasks]) role.signal('SIGHUP')
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }

  async function startRedis(guardian: Guardian): Promise<{ url: string; engine?: string }> {
    if (settings.redisUrl !== undefined) return { url: settings.redisUrl }
    const { spec, url, engine, introduce } = await redisService({
      dataDir,
      environment,
      fsync: settings.fsync,
    })
    const { says, warnings } = introduce((await guardian.start(spec)).output)
    if (says !== undefined) logger.info({}, says)
    for (const warning of warnings) logger.warn({}, warning)
    return { url, engine }
  }

  async function startOpenCode(
    guardian: Guardian,
    outputs: Map<string, unknown>,
  ): Promise<readonly OpenCodeServer[]> {
    for (const spec of options.beside ?? []) outputs.set(spec.name, (await guardian.start(spec)).output)
    if (settings.openCode.length > 0) return settings.openCode
    const { isolated, projectDir } = options
    const warning = await ownDirectoryWarning(projectDir, roots)
    if (warning !== undefined) logger.warn({}, warning)
    const { spec, server } = await openCodeService({
      dataDir,
      projectDir,
      environment,
      ...(isolated && { isolatedDir: isolated.dir, config: isolated.config(outputs) }),
    })
    await guardian.start(spec)
    return [server]
  }

  function onServiceEvent(event: ServiceEvent): void {
    if (event.type === 'ready') {
      holdFor(event)
      if (event.restarts > 0)
        logger.warn({ service: event.name, restarts: event.restarts }, 'a service was started again')
    } else if (event.type === 'exited')
      logger.warn({ service: event.name }, `a service ended: ${event.exit}; it is started again`)
    else if (stopped === undefined) failed.resolve(new TierlineError('service_failed', event.message))
  }

  /** On a disk that is full all goes on: the lock has this process and the guardian, who outlives each service. */
  function holdFor({ name, pid }: Extract<ServiceEvent, { type: 'ready' }>): void {
    try {
      lock.hold(name, pid)
    } catch (error) {
      logger.warn({ service: name, error }, 'cannot note a service in the lock of the data directory')
    }
  }
}

/** As `Promise.all`, but waits for all even when one fails, so that whatever started can be closed. */
async function allOrThrow<A, B>(both: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(both)
  return Promise.all(both)
}
