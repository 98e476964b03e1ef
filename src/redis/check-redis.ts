import type { Redis } from 'ioredis'
import { TierlineError } from '../errors.ts'

export interface RedisFacts {
  /** `7.2.4`; what a Valkey or another relative says it is compatible with. */
  readonly version: string
  /** Undefined where the server does not say. */
  readonly maxmemoryPolicy: string | undefined
  /** False: a restart may lose what was acknowledged. */
  readonly appendOnly: boolean
  /** It takes no writes. */
  readonly isReplica: boolean
  /** One node of a cluster. */
  readonly isClustered: boolean
}

const OLDEST = [6, 2] as const

/**
 * Refuses a Redis that would lose tasks or lacks commands. Asks `INFO` only, which managed services allow; in a
 * cluster of the node that has the slot.
 *
 * @throws {TierlineError} `redis_unsuitable`, with the way out.
 */
export async function checkRedis(redis: Redis): Promise<RedisFacts> {
  const facts = readFacts(await redis.info())
  if (isOlder(facts.version))
    throw unsuitable(`it is version ${facts.version}, must be at least ${OLDEST.join('.')}`, facts.version)
  if (facts.isReplica) throw unsuitable('it is a replica, must be the primary', 'replica')
  if (facts.isClustered && redis.options.Connector === undefined)
    throw unsuitable(
      'it is a node of a cluster, which takes REDIS_URL with "redis+cluster://" (or "rediss+cluster://")',
      'redis_mode: cluster',
    )
  if (facts.maxmemoryPolicy !== undefined && facts.maxmemoryPolicy !== 'noeviction')
    throw unsuitable(
      `its maxmemory-policy is "${facts.maxmemoryPolicy}" and would throw tasks away, must be "noeviction": ` +
        'run CONFIG SET maxmemory-policy noeviction, or set it in redis.conf or in the settings of the service',
      facts.maxmemoryPolicy,
    )
  return facts
}

/** The facts in the answer to `INFO`. */
export function readFacts(info: string): RedisFacts {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  return {
    version: field('redis_version') ?? '0.0.0',
    maxmemoryPolicy: field('maxmemory_policy'),
    appendOnly: field('aof_enabled') === '1',
    isReplica: field('role') === 'slave',
    isClustered: field('cluster_enabled') === '1',
  }
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
}

function unsuitable(why: string, given: string): TierlineError {
  return new TierlineError('redis_unsuitable', `Cannot use this Redis: ${why}`, {
    errors: [{ field: 'REDIS_URL', message: why, given }],
  })
}
