/** Where the errors of `ioredis` and of the network become ours. */
import { ReplyError } from 'ioredis'
import { isTierlineError, TierlineError } from '../errors.ts'

// ioredis gives these neither a class nor a code.
const CONNECTION_MESSAGES =
  /^(Connection is closed|Stream isn't writeable|Socket timeout|Command aborted due to|Command timed out)/

// First word of a reply, by which Redis itself tells its errors apart: it is there and cannot serve.
const UNABLE_REPLIES =
  /^(LOADING|MASTERDOWN|CLUSTERDOWN|READONLY|MISCONF|NOREPLICAS|OOM|TRYAGAIN|MOVED|ASK)\b|-READONLY /
const REFUSING_REPLIES = /^(NOAUTH|WRONGPASS|NOPERM|DENIED)\b/

const RETRY_AFTER_MS = 1_000

/** True when Redis could not be asked or could not serve; the same command may succeed later. */
function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (isReply(error)) return UNABLE_REPLIES.test(error.message)
  if (error.name === 'MaxRetriesPerRequestError' || CONNECTION_MESSAGES.test(error.message)) return true
  return 'syscall' in error || error instanceof AggregateError
}

/** True when Redis refuses who we are; trying again cannot help. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && isReply(error) && REFUSING_REPLIES.test(error.message)
}

/** `redis_unavailable` about this error. `where` is a masked URL, for a start; requests need none. */
export function redisUnavailable(error: unknown, where?: string): TierlineError {
  if (isTierlineError(error, 'redis_unavailable')) return error
  return new TierlineError(
    'redis_unavailable',
    `Cannot reach Redis${where ? ` at "${where}"` : ''}: ${reason(error)}`,
    {
      retryAfterMs: RETRY_AFTER_MS,
      // A ReplyError carries the arguments of its command, AUTH's password too.
      ...(isReply(error) ? {} : { cause: error }),
    },
  )
}

/** `throw translateRedisError(error)`: ours where Redis is away, anything else as it came. */
export function translateRedisError(error: unknown): unknown {
  return isConnectionError(error) ? redisUnavailable(error) : error
}

function reason(error: unknown): string {
  if (error instanceof Error && error.name === 'MaxRetriesPerRequestError') return 'the connection was lost'
  if (error instanceof Error && CONNECTION_MESSAGES.test(error.message)) return 'there is no connection'
  // A refused connection to a name with two addresses has no message of its own.
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message
  return error instanceof Error ? error.message : String(error)
}

function isReply(error: unknown): boolean {
  return error instanceof ReplyError
}
