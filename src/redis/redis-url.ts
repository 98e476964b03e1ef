import type { RedisOptions } from 'ioredis'
import { TierlineError } from '../errors.ts'

export interface RedisNode {
  host: string
  port: number
}

export interface RedisPlace {
  /** For `ioredis`; with `sentinels`, where it asks for the master. Without a host for a cluster. */
  options: RedisOptions
  /** Nodes of a cluster that can be asked for the others. `undefined`: it is none. */
  clusterNodes: readonly RedisNode[] | undefined
}

const FORMS = [
  'redis://[:password@]host:6379[/db][?family=6]',
  'rediss://…',
  'unix://[:password@]/path.sock[?db=1]',
  '/path.sock',
  'redis+sentinel://[:password@]host:26379,host2:26379/master-name[/db][?sentinelPassword=…]',
  'rediss+sentinel://…',
  'redis+cluster://[:password@]host:6379,host2:6379',
  'rediss+cluster://…',
]

const UNIX_URL =
  /^(?:unix:\/\/(?:(?<user>[^:@/?]*)(?::(?<password>[^@?]*))?@)?)?(?<path>\/(?!\/)[^?]+)(?:\?db=(?<db>\d+))?$/

const NODES_URL =
  /^redis(?<tls>s?)\+(?<kind>cluster|sentinel):\/\/(?:(?<user>[^:@/?]*)(?::(?<password>[^@/?]*))?@)?(?<nodes>[^/?@]+)(?:\/(?<path>[^?]*))?(?:\?(?<query>.*))?$/

/**
 * What one of the forms of a Redis URL says.
 *
 * @throws {TierlineError} `invalid_config`; the URL is not repeated, since it may hold a password.
 */
export function parseRedisUrl(url: string): RedisPlace {
  if (/^\w+\+/.test(url)) return parseNodesUrl(url)
  const socket = UNIX_URL.exec(url)?.groups
  if (socket) {
    const options = { path: socket.path!, db: Number(socket.db ?? 0) }
    return {
      options: { ...options, ...credentials(socket.user, socket.password) },
      clusterNodes: undefined,
    }
  }
  const parsed = URL.parse(url)
  const db = Number(parsed?.pathname.slice(1))
  const { family = 0, ...unknown } = Object.fromEntries(parsed?.searchParams ?? [])
  if (!parsed?.hostname || !/^rediss?:$/.test(parsed.protocol) || !Number.isInteger(db)) throw invalid()
  if (Object.keys(unknown).length > 0) throw invalid()
  const options = {
    ...nodeOf(parsed, 6379),
    db,
    family: Number(family),
    ...credentials(parsed.username, parsed.password),
    ...(parsed.protocol === 'rediss:' && { tls: {} }),
  }
  return { options, clusterNodes: undefined }
}

/** The forms with several nodes, which no URL parser takes. */
function parseNodesUrl(url: string): RedisPlace {
  const parts = NODES_URL.exec(url)?.groups
  if (parts === undefined) throw invalid()
  const isCluster = parts.kind === 'cluster'
  const nodes = parts.nodes!.split(',').map((node) => parseNode(node, isCluster ? 6379 : 26379))
  const query = Object.fromEntries(new URLSearchParams(parts.query))
  const { family = 0, sentinelUsername, sentinelPassword, ...unknown } = query
  if (Object.keys(unknown).length > 0) throw invalid()
  const options: RedisOptions = {
    family: Number(family),
    ...credentials(parts.user, parts.password),
    ...(parts.tls && { tls: {} }),
  }
  const path = parts.path ?? ''
  if (isCluster) {
    if (sentinelUsername ?? sentinelPassword) throw invalid()
    if (path !== '' && path !== '0') throw invalid('has a database other than 0, which a cluster has not')
    return { options, clusterNodes: nodes }
  }
  const [, name, db = '0'] = /^([^/]+)(?:\/(\d+))?$/.exec(path) ?? []
  if (name === undefined)
    throw invalid('names no master: after the Sentinels comes "/" and what they call it, such as /mymaster')
  return {
    options: {
      ...options,
      sentinels: nodes,
      name: decode(name),
      db: Number(db),
      ...(sentinelUsername && { sentinelUsername }),
      ...(sentinelPassword && { sentinelPassword }),
      ...(parts.tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
    },
    clusterNodes: undefined,
  }
}

/** A URL that was parsed, for people and logs: password and query gone. `redis://:***@127.0.0.1:6379/2` */
export function maskRedisUrl(url: string): string {
  const withoutQuery = url.split('?', 1)[0]!
  return withoutQuery.replace(/^([\w+]+:\/\/[^:@/]*):.*@/, '$1:***@')
}

function parseNode(text: string, defaultPort: number): RedisNode {
  const parsed = URL.parse(`redis://${text}`)
  if (!parsed?.hostname || parsed.pathname !== '') throw invalid()
  return nodeOf(parsed, defaultPort)
}

function nodeOf({ hostname, port }: URL, defaultPort: number): RedisNode {
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || defaultPort) }
}

function credentials(user: string | undefined, password: string | undefined): RedisOptions {
  if (!password) return {}
  return { password: decode(password), ...(user && { username: decode(user) }) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid()
  }
}

function invalid(why?: string): TierlineError {
  const message = why ?? 'is not the URL of a Redis'
  const looks = why === undefined ? `, which looks like ${FORMS[0]}` : ''
  return new TierlineError('invalid_config', `Cannot use REDIS_URL: it ${message}${looks}`, {
    errors: [{ field: 'REDIS_URL', message, allowed: FORMS }],
  })
}
