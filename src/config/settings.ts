/** What the environment says. The only place that reads it; everything else gets plain options. */
import { delimiter, isAbsolute, resolve } from 'node:path'
import { type FieldError, TierlineError } from '../errors.ts'
import { type ApiKey, parseApiKeys } from './api-keys.ts'
import { type OpenCodeServer, parseOpenCodeServers } from './opencode-servers.ts'
import { type GivenVariable, readVariables } from './read-variables.ts'
import type { Flags, VariableName } from './variables.ts'

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** As `appendfsync` of Redis. */
export const FSYNC_POLICIES = ['always', 'everysec', 'no'] as const
export type FsyncPolicy = (typeof FSYNC_POLICIES)[number]

const WEAK_SECRET_CHARS = 16

export interface Settings {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** Absolute. `explicit`: somebody named it, so it must exist. */
  readonly config: { readonly path: string; readonly explicit: boolean }
  /** Absolute. */
  readonly dataDir: string
  /** When a Redis that tierline starts forces onto the disk what it was given. */
  readonly fsync: FsyncPolicy
  /** Empty: no key is asked for. */
  readonly apiKeys: readonly ApiKey[]
  /** Absolute; `null`: the file decides (`allowedRoots`). */
  readonly directories: readonly string[] | null
  readonly namespace: string | undefined
  /** `undefined`: tierline finds or starts one. */
  readonly redisUrl: string | undefined
  /** Empty: tierline starts one. */
  readonly openCode: readonly OpenCodeServer[]
  readonly logLevel: LogLevel
  /** Sentences worth showing at start. */
  readonly warnings: readonly string[]
}

/**
 * Reads all variables at once. Relative paths count from `cwd`.
 *
 * @throws {TierlineError} `invalid_config` with every variable that is wrong; no secret is shown.
 */
export function readSettings(
  env: NodeJS.ProcessEnv = process.env,
  flags: Flags = {},
  cwd: string = process.cwd(),
): Settings {
  const variables = readVariables(env, flags)
  const { errors } = variables
  const warnings = [...variables.warnings]
  /** The value of one variable; what `parse` refuses is an error of that variable. */
  function read<Value>(
    name: VariableName,
    parse: (given: GivenVariable) => Value | Refusal,
  ): Value | undefined {
    const given = variables.get(name)
    if (given === undefined) return undefined
    const value = parse(given)
    if (!(value instanceof Refusal)) return value
    errors.push({ field: given.source, message: value.message, ...value.more })
    return undefined
  }

  const login = {
    username: read('OPENCODE_SERVER_USERNAME', ({ text }) => text) ?? '',
    password: read('OPENCODE_SERVER_PASSWORD', ({ text }) => text) ?? null,
  }
  const apiKeys = read('TIERLINE_API_KEYS', ({ text, source }) => {
    const { keys, errors: wrong } = parseApiKeys(text, source)
    errors.push(...wrong)
    for (const { name, secret } of keys)
      if (secret.length < WEAK_SECRET_CHARS)
        warnings.push(
          `TIERLINE_API_KEYS: the secret of "${name}" has fewer than ${WEAK_SECRET_CHARS} characters`,
        )
    return keys
  })
  const openCode = read('OPENCODE_URL', ({ text, source }) => {
    const { servers, errors: wrong } = parseOpenCodeServers(text, source, login)
    errors.push(...wrong)
    return servers
  })
  const settings: Settings = {
    host: read('TIERLINE_HOST', parseHost) ?? '',
    port: read('TIERLINE_PORT', parsePort) ?? 0,
    config: read('TIERLINE_CONFIG', ({ text, explicit }) => ({ path: resolve(cwd, text), explicit }))!,
    dataDir: read('TIERLINE_DATA_DIR', ({ text }) => resolve(cwd, text))!,
    fsync: read('TIERLINE_FSYNC', parseFsync) ?? 'everysec',
    apiKeys: apiKeys ?? [],
    directories: read('TIERLINE_DIRECTORIES', parseDirectories) ?? null,
    namespace: read('TIERLINE_NAMESPACE', parseNamespace),
    redisUrl: read('REDIS_URL', parseRedisUrl),
    openCode: openCode ?? [],
    logLevel: read('LOG_LEVEL', parseLogLevel) ?? 'info',
    warnings,
  }
  if (errors.length > 0) throw invalidSettings(errors)
  return Object.freeze(settings)
}

/** Every secret value of the settings, for those who must keep it out of logs. */
export function secretsOf({ apiKeys, redisUrl, openCode }: Settings): string[] {
  const passwords = openCode.map(({ password }) => password ?? '')
  const secrets = [...apiKeys.map(({ secret }) => secret), ...redisPasswords(redisUrl), ...passwords]
  return [...new Set(secrets)].filter((secret) => secret !== '')
}

class Refusal {
  readonly message: string
  readonly more: Pick<FieldError, 'given' | 'allowed'>

  constructor(message: string, more: Pick<FieldError, 'given' | 'allowed'> = {}) {
    this.message = message
    this.more = more
  }
}

function parseHost({ text }: GivenVariable): string | Refusal {
  return /^[\w.:-]+$/.test(text)
    ? text
    : new Refusal('must be an address or a host name without a port', { given: text })
}

function parsePort({ text }: GivenVariable): number | Refusal {
  const port = Number(text)
  return /^\d{1,5}$/.test(text) && port <= 65_535
    ? port
    : new Refusal('must be a whole number from 0 to 65535', { given: text })
}

function parseDirectories({ text }: GivenVariable): string[] | Refusal {
  const directories = text.split(delimiter).map((entry) => entry.trim())
  const given = directories.filter((entry) => entry !== '')
  const relative = given.find((entry) => !isAbsolute(entry))
  if (given.length === 0) return new Refusal('names no directory')
  if (relative === undefined) return given
  return new Refusal(`must be absolute paths, separated by "${delimiter}"`, { given: relative })
}

function parseNamespace({ text }: GivenVariable): string | Refusal {
  return /^[\w.-]{1,64}$/.test(text)
    ? text
    : new Refusal('must be 1 to 64 letters, digits, ".", "_" or "-"', { given: text })
}

/** The form alone: what it leads to is found out by connecting. */
function parseRedisUrl({ text }: GivenVariable): string | Refusal {
  const isUrl = /^((rediss?(\+sentinel|\+cluster)?|unix):\/\/|\/)[^\s]+$/.test(text)
  return isUrl
    ? text
    : new Refusal(
        'must be a redis://, rediss://, redis+sentinel://, redis+cluster:// or unix:// URL, or the path of a socket',
      )
}

function parseFsync({ text }: GivenVariable): FsyncPolicy | Refusal {
  const policy = FSYNC_POLICIES.find((one) => one === text)
  return (
    policy ??
    new Refusal(`must be one of ${FSYNC_POLICIES.join(', ')}`, { given: text, allowed: FSYNC_POLICIES })
  )
}

function parseLogLevel({ text }: GivenVariable): LogLevel | Refusal {
  const level = LOG_LEVELS.find((one) => one === text.toLowerCase())
  return level ?? new Refusal(`must be one of ${LOG_LEVELS.join(', ')}`, { given: text, allowed: LOG_LEVELS })
}

/** As written and as decoded: either may turn up in the words of a library. */
function redisPasswords(url = ''): string[] {
  // Up to the last "@", as a URL is read; the query may have others.
  const [, password = ''] = /^[\w+]+:\/\/[^:@/]*:([^?]*)@/.exec(url) ?? []
  const [, ofSentinel = ''] = /[?&]sentinelPassword=([^&]*)/.exec(url) ?? []
  return [password, ofSentinel].flatMap((written) => {
    try {
      return [written, decodeURIComponent(written)]
    } catch {
      return [written]
    }
  })
}

function invalidSettings(errors: readonly FieldError[]): TierlineError {
  const [first] = errors
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  return new TierlineError(
    'invalid_config',
    `Cannot use the settings: ${first!.field} ${first!.message}${more}`,
    {
      errors,
    },
  )
}
