import { Redis, type RedisOptions } from 'ioredis'
import { TierlineError } from '../errors.ts'
import { corkWrites } from './cork-writes.ts'
import { isRefusal, redisUnavailable } from './redis-unavailable.ts'
import { maskRedisUrl, parseRedisUrl } from './redis-url.ts'

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
  /** How long to try before giving up at first, in milliseconds. Default 5,000. */
  patienceMs?: number
  /** Hears of each lost or refused connection afterwards; the connection comes back by itself. */
  onError?: (error: TierlineError) => void
}

const SILENCE_MS = 3_000
const MAX_RECONNECT_MS = 1_000

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
    ...parseRedisUrl(url),
    ...WHEN_AWAY[options.whenAway],
    connectionName: options.name,
    connectTimeout: SILENCE_MS,
    retryStrategy: (times) => Math.min(50 * times, MAX_RECONNECT_MS),
    // After a failover the old primary answers so: only a new connection finds the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
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

async function ready(redis: Redis, patienceMs: number, where: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let lastError: unknown = new Error('no answer')
  const timer = setTimeout(() => reject(redisUnavailable(lastError, where)), patienceMs)
  const onError = (error: Error): void => {
    lastError = error
    if (isRefusal(error)) reject(refused(error, where))
  }
  redis.on('error', onError).once('ready', resolve)
  try {
    await promise
  } finally {
    clearTimeout(timer)
    redis.off('ready', resolve)
    // A disconnect may still fail the try under way, so on failure the listener stays.
    if (redis.status === 'ready') redis.off('error', onError)
  }
}

function refused(error: Error, where: string): TierlineError {
  const message = `refuses the user or the password (${error.message.split(' ', 1)[0]})`
  return new TierlineError('redis_unsuitable', `Cannot use Redis at "${where}": it ${message}`, {
    errors: [{ field: 'REDIS_URL', message }],
  })
}
