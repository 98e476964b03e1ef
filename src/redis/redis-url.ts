import type { RedisOptions } from 'ioredis'
import { TierlineError } from '../errors.ts'

const FORMS = [
  'redis://[:password@]host:6379[/db][?family=6]',
  'rediss://…',
  'unix://[:password@]/path.sock[?db=1]',
  '/path.sock',
]

const UNIX_URL =
  /^(?:unix:\/\/(?:(?<user>[^:@/]*)(?::(?<password>[^@]*))?@)?)?(?<path>\/(?!\/)[^?]+)(?:\?db=(?<db>\d+))?$/

/**
 * What `ioredis` needs for one of the forms of a Redis URL.
 *
 * @throws {TierlineError} `invalid_config`; the URL is not repeated, since it may hold a password.
 */
export function parseRedisUrl(url: string): RedisOptions {
  const socket = UNIX_URL.exec(url)?.groups
  if (socket)
    return { path: socket.path!, db: Number(socket.db ?? 0), ...credentials(socket.user, socket.password) }
  const parsed = URL.parse(url)
  const db = Number(parsed?.pathname.slice(1))
  const { family = 0, ...unknown } = Object.fromEntries(parsed?.searchParams ?? [])
  if (!parsed?.hostname || !/^rediss?:$/.test(parsed.protocol) || !Number.isInteger(db)) throw invalid()
  if (Object.keys(unknown).length > 0) throw invalid()
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: Number(parsed.port || 6379),
    db,
    family: Number(family),
    ...credentials(parsed.username, parsed.password),
    ...(parsed.protocol === 'rediss:' && { tls: {} }),
  }
}

/** The URL for people and logs: password and query gone. `redis://:***@127.0.0.1:6379/2` */
export function maskRedisUrl(url: string): string {
  const withoutQuery = url.split('?', 1)[0]!
  return withoutQuery.replace(/^(\w+:\/\/[^:@/]*):.*@/, '$1:***@')
}

function credentials(user: string | undefined, password: string | undefined): RedisOptions {
  if (!password) return {}
  try {
    return { password: decodeURIComponent(password), ...(user && { username: decodeURIComponent(user) }) }
  } catch {
    throw invalid()
  }
}

function invalid(): TierlineError {
  const message = 'is not the URL of a Redis'
  return new TierlineError(
    'invalid_config',
    `Cannot use REDIS_URL: it ${message}, which looks like ${FORMS[0]}`,
    {
      errors: [{ field: 'REDIS_URL', message, allowed: FORMS }],
    },
  )
}
