/** A role in a process of its own, as a child of `up`: started, told its settings, started again when it dies. */
import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Settings } from '../config/settings.ts'
import { TierlineError } from '../errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { RoleMessage } from './run-role.ts'

/**
 * A young generation of half the size: each of its collections stops all streams of a process for half as long, which is
 * what the slowest of them wait for, and costs a twentieth more CPU (bench/README.md, relay).
 */
export const ROLE_NODE_ARGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=8']

const RESTART_MS = 500
const MOST_RESTART_MS = 10_000
/** A little more than a role gives its running turns. */
const STOP_MS = 10_000

/** First message to a child; it carries secrets, so neither arguments nor environment do. */
export interface RoleSettings {
  settings: Settings
  concurrency?: number
}

export interface ChildRole {
  /** Where the API listens, for the role that has one. */
  readonly url: string | undefined
  readonly pid: number | undefined
  /** SIGHUP and the like. */
  signal(signal: NodeJS.Signals): void
  /** Ends it in order; kills it when that takes too long. */
  stop(): Promise<void>
}

/** Resolves when the role is ready. @throws {TierlineError} what the child says went wrong at its first start. */
export async function startChildRole(
  role: 'api' | 'tasks',
  roleSettings: RoleSettings,
  logger: Logger,
): Promise<ChildRole> {
  let child: ChildProcess | undefined
  let url: string | undefined
  let stopping = false
  let restarts = 0
  let timer: NodeJS.Timeout | undefined

  async function start(): Promise<void> {
    // Of a group of its own: a Ctrl-C is for `up`, which ends its children in order.
    const started = fork(
      fileURLToPath(new URL(`../../workers/${role}${extname(import.meta.url)}`, import.meta.url)),
      {
        detached: true,
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        execArgv: ROLE_NODE_ARGS,
      },
    )
    child = started
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    // Also where it could not be started: then it has no end that could be waited for.
    started.on('error', (error) => {
      if (started.pid === undefined) child = undefined
      reject(error)
    })
    started.once('exit', (code, signal) => {
      child = undefined
      const how = `the ${role} process ended with ${signal ?? `code ${code}`}`
      reject(new TierlineError('service_failed', `Cannot run tierline: ${how}`))
      if (!stopping && ready) again(how)
    })
    let ready = false
    started.on('message', (message: RoleMessage) => {
      if (message.type === 'failed')
        return reject(
          new TierlineError(message.code ?? 'service_failed', message.message, { errors: message.errors }),
        )
      ready = true
      url = message.url ?? url
      resolve()
    })
    started.send(roleSettings, () => {})
    await promise
  }

  function again(why: string): void {
    const delayMs = Math.min(RESTART_MS * 2 ** restarts, MOST_RESTART_MS)
    restarts += 1
    logger.warn({ role, delayMs }, `${why}; it is started again`)
    timer = setTimeout(() => {
      start().then(
        () => {
          restarts = 0
        },
        (error: Error) => {
          if (!stopping) again(error.message)
        },
      )
    }, delayMs)
  }

  await start()
  // A port that was free for us may be asked for by number from now on.
  if (url !== undefined)
    roleSettings = {
      ...roleSettings,
      settings: { ...roleSettings.settings, port: Number(new URL(url).port) },
    }

  return {
    get url() {
      return url
    },
    get pid() {
      return child?.pid
    },
    signal: (signal) => void child?.kill(signal),
    async stop() {
      stopping = true
      clearTimeout(timer)
      const ending = child
      if (ending === undefined) return
      const gone = new Promise<void>((resolve) => ending.once('exit', () => resolve()))
      ending.kill('SIGTERM')
      const kill = setTimeout(() => ending.kill('SIGKILL'), STOP_MS)
      await gone
      clearTimeout(kill)
    },
  }
}

/** In the child: the settings `up` sends, or `undefined` when there is no `up`. */
export async function receiveRoleSettings(): Promise<RoleSettings | undefined> {
  if (process.send === undefined) return undefined
  return new Promise((resolve, reject) => {
    process.once('message', (message) => resolve(message as RoleSettings))
    process.once('disconnect', () => reject(new Error('the process that started this one is gone')))
  })
}
