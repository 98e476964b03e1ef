/** `tierline move`: what the Redis of a data directory holds goes to another one. */
import { renameSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Settings } from '../config/settings.ts'
import { TierlineError } from '../errors.ts'
import { checkRedis } from '../redis/check-redis.ts'
import { closeConnection } from '../redis/close-connection.ts'
import { connectRedis, type RedisClient } from '../redis/connect.ts'
import { copyKeys } from '../redis/copy-keys.ts'
import { maskRedisUrl } from '../redis/redis-url.ts'
import { lockDataDir } from '../services/data-dir-lock.ts'
import { startGuardian } from '../services/guardian.ts'
import { redisDataDirectory, redisService } from '../services/redis-service.ts'

export interface MoveOptions {
  settings: Pick<Settings, 'dataDir' | 'fsync'>
  /** URL of the Redis that gets everything. */
  to: string
  environment: Readonly<Record<string, string | undefined>>
}

export interface Moved {
  keys: number
  /** Where the data stays, out of the way of the next `up`. */
  kept: string
}

/** In the target while it has a part only. Its value says of which data directory. */
const MARK = '{tierline}:moving'

/**
 * Copies everything and puts the data directory's own Redis out of use, so that no task can run in both. Broken off,
 * it changes nothing in the source, and may be run again.
 *
 * @throws {TierlineError} `data_dir_locked` while an `up` runs there, `service_not_found` without data to move,
 *   `redis_unsuitable` for a target that may lose it or has tasks of its own.
 */
export async function moveData({ settings, to, environment }: MoveOptions): Promise<Moved> {
  const { dataDir, fsync } = settings
  const directory = redisDataDirectory(dataDir)
  if (directory === undefined) throw nothingToMove(dataDir)
  const targets = openTargets(to)
  const closers: (() => unknown)[] = [targets.close]
  try {
    const marked = await targets.of(MARK)
    const lock = await lockDataDir(dataDir, 1_000, 'move')
    closers.push(() => lock.release())
    const guardian = await startGuardian({ logFile: join(dataDir, 'logs', 'guardian.log') })
    closers.push(() => guardian.stop())
    lock.hold('guardian', guardian.pid)
    const { spec, url } = await redisService({ dataDir, environment, fsync })
    lock.hold('redis', (await guardian.start(spec)).pid)
    const source = await connectRedis(url, { name: 'tierline:move', whenAway: 'fail' })
    closers.push(() => closeConnection(source))

    await mark(source, targets, `${hostname()}:${dataDir}`, to)
    const keys = await copyKeys(source, targets.of)
    closeConnection(source)
    await guardian.stop()
    const kept = `${directory}.moved-${new Date().toISOString().replaceAll(':', '-')}`
    renameSync(directory, kept)
    await marked.del(MARK)
    return { keys, kept }
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

/** Refuses a target that has something of its own where the keys go, unless a move from here was broken off. */
async function mark(source: RedisClient, targets: Targets, from: string, to: string): Promise<void> {
  const marked = await targets.of(MARK)
  if ((await marked.get(MARK)) !== from) {
    const roots = new Set<string>()
    for await (const keys of source.scanStream({ count: 1_000 }))
      for (const key of keys as string[]) roots.add(rootOf(key))
    for (const root of [...roots, MARK])
      if (await hasKeys(await targets.of(root), root)) throw occupied(root, to)
  }
  await marked.set(MARK, from)
}

type Targets = ReturnType<typeof openTargets>

/** A connection for each namespace, each of them checked: in a cluster each may be on another node. */
function openTargets(to: string) {
  const opened = new Map<string, Promise<RedisClient>>()

  async function open(root: string): Promise<RedisClient> {
    const redis = await connectRedis(to, { name: 'tierline:move', whenAway: 'fail', root })
    try {
      await checkRedis(redis)
    } catch (error) {
      closeConnection(redis)
      throw error
    }
    return redis
  }

  return {
    of(key: string): Promise<RedisClient> {
      const root = rootOf(key)
      const found = opened.get(root) ?? open(root)
      opened.set(root, found)
      return found
    },
    async close(): Promise<void> {
      for (const one of await Promise.allSettled(opened.values()))
        if (one.status === 'fulfilled') closeConnection(one.value)
    },
  }
}

/** `{tierline:a}` of `{tierline:a}:task:1`. */
function rootOf(key: string): string {
  return /^\{[^}]*\}/.exec(key)?.[0] ?? key
}

async function hasKeys(redis: RedisClient, root: string): Promise<boolean> {
  const match = `${root.replace(/[\\*?[\]]/g, '\\$&')}*`
  for await (const keys of redis.scanStream({ match, count: 1_000 }))
    if ((keys as string[]).length > 0) return true
  return false
}

function nothingToMove(dataDir: string): TierlineError {
  const message = 'must be a data directory in which a "tierline up" without REDIS_URL has kept something'
  return new TierlineError('service_not_found', `Cannot move what is in "${dataDir}": it ${message}`, {
    errors: [{ field: 'TIERLINE_DATA_DIR', message, given: dataDir }],
  })
}

function occupied(root: string, to: string): TierlineError {
  const message = `has keys of "${root}" already; take another database of it, or remove them`
  return new TierlineError('redis_unsuitable', `Cannot move to "${maskRedisUrl(to)}": it ${message}`, {
    errors: [{ field: '--to', message }],
  })
}
