/** The commands that run something, from settings to exit code. Each resolves when it was stopped. */
import { commandName } from './config/command-name.ts'
import { environmentOfProcess } from './config/environment.ts'
import { readSettings, secretsOf } from './config/settings.ts'
import type { Flags } from './config/variables.ts'
import { outliveStderr } from './runtime/outlive-stderr.ts'
import { runRole } from './runtime/run-role.ts'
import { startApi } from './runtime/start-api.ts'
import { startTasks } from './runtime/start-tasks.ts'
import { type StopReason, untilStopped } from './runtime/until-stopped.ts'
import { startUp } from './runtime/up.ts'
import { createLogger } from './telemetry/logger.ts'

/** Exit code for each way to be stopped. */
const STOPPED: Record<StopReason, number> = { SIGINT: 130, SIGTERM: 0, orphaned: 0 }

export interface RunOptions {
  settings: Flags
  /** Says on stdout, as one line of JSON, where it is; else for people, on stderr. */
  json: boolean
}

/** `tierline up`: everything on this machine. */
export async function runUp({
  settings: flags,
  concurrency,
  json,
}: RunOptions & { concurrency: number | undefined }): Promise<number> {
  const settings = readSettings(undefined, flags)
  const logger = createLogger({ level: settings.logLevel, secrets: secretsOf(settings) })
  const say = (sentence: string) => {
    if (!json) process.stderr.write(`${sentence}\n`)
  }
  outliveStderr()
  const stopping = untilStopped()
  stopping.signal.addEventListener('abort', () => say('tierline: stopping …'))
  stopping.hurry.addEventListener('abort', () => process.exit(130))
  const up = await startUp({
    signal: stopping.signal,
    settings,
    logger,
    concurrency,
    environment: environmentOfProcess(),
    projectDir: process.cwd(),
    progress: (sentence) => say(`tierline: ${sentence} …`),
  }).catch((error) => {
    if (stopping.signal.aborted) return undefined
    throw error
  })
  if (up === undefined) return STOPPED[await stopping.reason]
  const onHangup = () => up.reload()
  process.on('SIGHUP', onHangup)
  const { url, redis } = up
  if (json)
    process.stdout.write(
      `${JSON.stringify({ url, board: `${url}/board`, docs: `${url}/docs`, redis, dataDir: settings.dataDir })}\n`,
    )
  say(
    `tierline is up at ${url}\n  board  ${url}/board\n  docs   ${url}/docs\n  redis  ${redis}\n  try    ${commandName(environmentOfProcess())} submit --watch "Say hello"\nCtrl-C stops it.`,
  )
  const reason = await Promise.race([stopping.reason, up.failed])
  if (typeof reason === 'object') say('tierline: stopping …')
  await up.stop()
  process.off('SIGHUP', onHangup)
  stopping.dispose()
  if (typeof reason === 'object') throw reason
  return STOPPED[reason]
}

/** `tierline serve`: the API on services that run already. */
export async function runServe({ settings: flags, json }: RunOptions): Promise<number> {
  const settings = readSettings(undefined, flags)
  await runRole(
    settings,
    (logger) => startApi(settings, logger),
    ({ url }) => announce(json, { url }, `tierline listens at ${url}`),
  )
  return 0
}

/** `tierline worker`: runs tasks, on services that run already. */
export async function runWorker({
  settings: flags,
  tiers,
  concurrency,
  json,
}: RunOptions & { tiers: readonly string[] | undefined; concurrency: number | undefined }): Promise<number> {
  const settings = readSettings(undefined, flags)
  const options = { ...(tiers && { tiers }), ...(concurrency !== undefined && { concurrency }) }
  await runRole(
    settings,
    (logger) => startTasks(settings, logger, options),
    () =>
      announce(
        json,
        { tiers: tiers ?? 'all' },
        `tierline worker runs tasks of ${tiers?.join(', ') ?? 'all tiers'}`,
      ),
  )
  return 0
}

function announce(json: boolean, data: object, sentence: string): void {
  if (json) process.stdout.write(`${JSON.stringify(data)}\n`)
  else process.stderr.write(`${sentence}\n`)
}
