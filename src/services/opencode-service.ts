import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { extname, join } from 'node:path'
import { findOpenCode } from './find-opencode.ts'
import { freePort } from './free-port.ts'
import { headlessConfig } from './headless-config.ts'
import { hasDependencies, pretendDependencies } from './opencode-dependencies.ts'
import { RESTART, type ServiceSpec } from './service-spec.ts'
import type { OpenCodeServer } from './services-file.ts'

export interface OpenCodeServiceOptions {
  dataDir: string
  /** The server's own working directory: where tasks without a directory work. Absolute. */
  projectDir: string
  environment: Readonly<Record<string, string | undefined>>
  /** Stable name of the server. Default `local`. */
  name?: string
  /**
   * A directory for all that OpenCode keeps, so that it sees neither the settings, keys and sessions of this
   * user nor leaves any. Without it the user's own are used.
   */
  isolatedDir?: string
  /** Added to the configuration, for example providers. */
  config?: Readonly<Record<string, unknown>>
}

export interface OpenCodeService {
  readonly server: OpenCodeServer
  readonly spec: ServiceSpec
}

const USERNAME = 'opencode'
const START_TIMEOUT_MS = 60_000

/** Ours, or of the terminal tierline runs in; commands that an agent runs would see them. */
const NOT_PASSED_ON = /^(TIERLINE_|REDIS_URL|OPENCODE_URL|OPENCODE_SERVER_)/

/** What would lead an isolated server back to the user's settings. */
const NOT_ISOLATED = /^OPENCODE_/

/**
 * An `opencode serve` of our own, on a free port of the loopback interface with a random password.
 *
 * @throws {TierlineError} `service_not_found`, `invalid_config` when `OPENCODE_CONFIG_CONTENT` is no JSON object.
 */
export async function openCodeService(options: OpenCodeServiceOptions): Promise<OpenCodeService> {
  const { dataDir, projectDir, environment, isolatedDir, name = 'local' } = options
  const command = findOpenCode([projectDir, import.meta.dirname], environment.PATH)
  const [port, tapPort] = await Promise.all([freePort(), freePort()])
  const password = randomBytes(24).toString('hex')
  const url = `http://127.0.0.1:${port}`
  const inherited = isolatedDir === undefined ? environment.OPENCODE_CONFIG_CONTENT : undefined
  // Not at the price of an npm install that the first task would wait for.
  const hasTap = isolatedDir !== undefined || configDirectories(environment).every(hasDependencies)
  const env = {
    ...passedOn(environment, isolatedDir !== undefined),
    ...(isolatedDir !== undefined && isolated(isolatedDir)),
    // Another name would keep the question tool from those that a policy lets ask.
    OPENCODE_CLIENT: 'cli',
    OPENCODE_CONFIG_CONTENT: JSON.stringify(
      headlessConfig(inherited, hasTap ? withTap(options.config) : (options.config ?? {})),
    ),
    ...(hasTap && { TIERLINE_TAP_PORT: String(tapPort) }),
    OPENCODE_SERVER_USERNAME: USERNAME,
    OPENCODE_SERVER_PASSWORD: password,
    // Bun answers no more than 256 requests to models at a time otherwise.
    BUN_CONFIG_MAX_HTTP_REQUESTS: '1000',
    BUN_TMPDIR: emptied(join(dataDir, 'tmp', `opencode-${name}`)),
  }
  return {
    server: {
      ...{ name, url, username: USERNAME, password },
      ...(hasTap && { tapUrl: `http://127.0.0.1:${tapPort}` }),
    },
    spec: {
      name: `opencode-${name}`,
      command,
      args: ['serve', '--hostname', '127.0.0.1', '--port', String(port)],
      env,
      cwd: projectDir,
      ready: { http: `${url}/global/health`, headers: { authorization: basic(USERNAME, password) } },
      startTimeoutMs: START_TIMEOUT_MS,
      logFile: join(dataDir, 'logs', `opencode-${name}.log`),
      secrets: [password],
      restart: RESTART,
    },
  }
}

/** The plugin lies beside this file, in the sources and in the package. */
function withTap(config: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  const tap = new URL(`./opencode-tap${extname(import.meta.filename)}`, import.meta.url).href
  const plugins = Array.isArray(config.plugin) ? config.plugin : []
  return { ...config, plugin: [...plugins, tap] }
}

function passedOn(
  environment: OpenCodeServiceOptions['environment'],
  isolate: boolean,
): Record<string, string> {
  const refused = isolate ? [NOT_PASSED_ON, NOT_ISOLATED] : [NOT_PASSED_ON]
  const entries = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !refused.some((pattern) => pattern.test(entry[0])),
  )
  return Object.fromEntries(entries)
}

/** OpenCode follows the XDG variables on every system. */
function isolated(directory: string): Record<string, string> {
  const kinds = {
    XDG_DATA_HOME: 'data',
    XDG_CONFIG_HOME: 'config',
    XDG_STATE_HOME: 'state',
    XDG_CACHE_HOME: 'cache',
  }
  const env = Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, join(directory, kind)]))
  for (const path of Object.values(env)) mkdirSync(path, { recursive: true, mode: 0o700 })
  const configDir = join(env.XDG_CONFIG_HOME!, 'opencode')
  if (!hasDependencies(configDir)) pretendDependencies(configDir)
  return env
}

/** Of the user, for all projects. */
function configDirectories({
  HOME = homedir(),
  ...environment
}: OpenCodeServiceOptions['environment']): string[] {
  const own = environment.OPENCODE_CONFIG_DIR
  const base = environment.XDG_CONFIG_HOME || join(HOME, '.config')
  // The first is made where there is none.
  return [join(base, 'opencode'), ...[join(HOME, '.opencode'), own ?? ''].filter(existsSync)]
}

/** Every server unpacks a library of 5 MB and leaves it behind: here they do not add up. */
function emptied(directory: string): string {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return directory
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
