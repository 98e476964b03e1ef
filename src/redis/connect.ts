import { Redis, type RedisOptions } from 'ioredis'
import { TierlineError } from '../errors.ts'
import { corkWrites } from './cork-writes.ts'
import { isRefusal, redisUnavailable } from './redis-unavailable.ts'
import { maskRedisUrl, parseRedisUrl } from './redis-url.ts'
import { createSlotConnector } from './slot-connector.ts'

/** The connection, for the folders that may not import ioredis. */
export type RedisClient = Redis

export interface ConnectOptions {
  /** What `CLIENT LIST` shows: `tierline:api`. */
  name: string
  /**
   * What commands do while Redis is away.
   *
   * `fail`: they fail at once when the connection is lost, and after 3 s when Redis stays silent. Nothing
   * is sent later that a caller was told had failed. For whoever has a client waiting.
   *
   * `wait`: they wait as long as it takes, and those without a reply are sent a second time, so scripts must
   * bear that. For workers, subscribers and everything that blocks.
   */
  whenAway: 'fail' | 'wait'
  /**
   * `Keys.root`: what all keys begin with that this connection is used for. In a cluster it stays with the node that
   * has their slot; elsewhere it means nothing.
   */
  root?: string
  /** How long to try before giving up at first, in milliseconds. Default 5,000. */
  patienceMs?: number
  /** Hears of each lost or refused connection afterwards; the connection comes back by itself. */
  onError?: (error: TierlineError) => void
}

const SILENCE_MS = 3_000
/** Longer than BullMQ blocks at a time, which is 10 s at most. */
const LONG_SILENCE_MS = 15_000
/** Then the next Sentinel is asked. */
const SENTINEL_SILENCE_MS = 1_500
const MAX_RECONNECT_MS = 1_000

/** After a failover or a move of the slot; the command was not run. Only a new connection finds the right node. */
const ELSEWHERE = /^(READONLY|MOVED|ASK|TRYAGAIN|CLUSTERDOWN|UNBLOCKED)\b|-READONLY /

const NO_CLUSTER = /cluster support disabled/i

const WHEN_AWAY: Record<ConnectOptions['whenAway'], RedisOptions> = {
  fail: {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    socketTimeout: SILENCE_MS,
  },
  wait: { maxRetriesPerRequest: null },
}

/**
 * A connection that is ready, and reconnects for as long as it is not closed.
 *
 * @throws {TierlineError} `redis_unavailable` when there is no answer in time, `redis_unsuitable` when it
 *   refuses user or password, `invalid_config` for an URL that is none. No message holds the password.
 */
export async function connectRedis(url: string, options: ConnectOptions): Promise<RedisClient> {
  const redis = new Redis({
    ...placeOf(url, options),
    ...WHEN_AWAY[options.whenAway],
    connectionName: options.name,
    connectTimeout: SILENCE_MS,
    retryStrategy: (times) => Math.min(50 * times, MAX_RECONNECT_MS),
    // 2: and the command goes to the new node.
    reconnectOnError: (error) => ELSEWHERE.test(error.message) && (options.whenAway === 'wait' ? 2 : 1),
    // Said aloud for the compiler: the default.
    replyMapping: 'legacy',
  })
  corkWrites(redis)
  try {
    await ready(redis, options.patienceMs ?? 5_000, maskRedisUrl(url))
  } catch (error) {
    redis.disconnect()
    throw error
  }
  // Without a listener ioredis writes to the console.
  redis.on('error', (error: Error) => options.onError?.(redisUnavailable(error)))
  return redis
}

/** Where to connect; and with several nodes what notices that one is frozen, since another may be its successor. */
function placeOf(url: string, { root, whenAway }: ConnectOptions): RedisOptions {
  const { options, clusterNodes } = parseRedisUrl(url)
  if (options.sentinels == null && clusterNodes === undefined) return options
  const patience = whenAway === 'wait' ? { socketTimeout: LONG_SILENCE_MS } : {}
  if (clusterNodes === undefined)
    return {
      ...options,
      ...patience,
      sentinelCommandTimeout: SENTINEL_SILENCE_MS,
      // Told by the Sentinels: the old master takes writes for some ten seconds more, which are lost.
      failoverDetector: true,
    }
  if (root === undefined) throw new TypeError('Cannot connect to a cluster: "root" must say whose slot it is')
  return { ...options, ...patience, Connector: createSlotConnector(clusterNodes, options, root) }
}

async function ready(redis: Redis, patienceMs: number, where: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let lastError: unknown = new Error('no answer')
  let sentinelError: Error | undefined
  const giveUp = () => reject(redisUnavailable(sentinelError ?? lastError, where))
  const timer = setTimeout(giveUp, patienceMs)
  const onError = (error: Error): void => {
    lastError = error
    if (isRefusal(error)) reject(refused(error, where))
    if (NO_CLUSTER.test(error.message)) reject(noCluster(where))
  }
  // What one of the Sentinels said; that none of them could help is said as an error after that.
  const onSentinelError = (error: Error): void => {
    sentinelError = error
  }
  redis.on('error', onError).on('sentinelError', onSentinelError).once('ready', resolve)
  try {
    await promise
  } finally {
    clearTimeout(timer)
    redis.off('ready', resolve).off('sentinelError', onSentinelError)
    // A disconnect may still fail the try under way, so on failure the listener stays.
    if (redis.status === 'ready') redis.off('error', onError)
  }
}

function noCluster(where: string): TierlineError {
  const message = 'is no node of a cluster; without "+cluster" it can be used'
  return new TierlineError('redis_unsuitable', `Cannot use Redis at "${where}": it ${message}`, {
    errors: [{ field: 'REDIS_URL', message }],
  })
}

function refused(error: Error, where: string): TierlineError {
  const [code] = error.message.split(' ', 1)
  // What the user lacks; the other replies say no more than their code.
  const message = `refuses the user or the password (${code === 'NOPERM' ? error.message : code})`
  return new TierlineError('redis_unsuitable', `Cannot use Redis at "${where}": it ${message}`, {
    errors: [{ field: 'REDIS_URL', message }],
  })
}
