/** What everything in one process stands on. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { createCatalogCache } from '../catalog/catalog-cache.ts'
import { seldom } from '../dispatch/seldom.ts'
import type { OrchestratorOptions } from '../orchestrator-options.ts'
import { checkRedis } from '../redis/check-redis.ts'
import { closeConnection } from '../redis/close-connection.ts'
import { connectAll } from '../redis/connect-all.ts'
import { createKeys } from '../redis/keys.ts'
import { firstAnswer } from '../sessions/first-answer.ts'
import { createLiveHub } from '../stream/live-hub.ts'
import { createCatalogWarner } from './warn-by-catalog.ts'

/** How late a lost pub/sub message is noticed at most. */
const LOOK_AGAIN_MS = 10_000

export type Foundation = Awaited<ReturnType<typeof layFoundation>>

/** Opens the two connections that every process has: one that fails fast, one that subscribes. */
export async function layFoundation(options: OrchestratorOptions) {
  const { redisUrl, backends, config, log } = options
  const keys = createKeys(options.namespace)
  const onError = seldom((error: Error) =>
    log.warn({ error: error.message }, 'Redis connection failed, it is tried again'),
  )
  const to = (role: string, whenAway: 'fail' | 'wait') => ({
    name: `tierline:${role}`,
    whenAway,
    onError,
    root: keys.root,
  })
  const [redis, subscriber] = await connectAll(redisUrl, [to('producer', 'fail'), to('subscriber', 'wait')])
  try {
    await checkRedis(redis)
  } catch (error) {
    ;[redis, subscriber].forEach(closeConnection)
    throw error
  }
  const warn = createCatalogWarner(options)
  const catalog = createCatalogCache(async (directory) => {
    const snapshot = await firstAnswer(backends, (backend) => backend.catalog(directory))
    if (directory === undefined) warn(snapshot)
    return snapshot
  })
  const stopWarning = config.onChange(() => {
    const known = catalog.peek()
    if (known !== undefined) warn(known)
  })
  // Asked before anybody waits for it: the first answer of a fresh server takes seconds.
  catalog.get().catch(() => {})
  return {
    options,
    backends,
    config,
    table: config.table,
    /** As they were at the start. */
    limits: config.limits(),
    log,
    keys,
    /** Of this process, for people and for Redis. */
    name: `${hostname().replace(/[^\w.-]/g, '_')}-${process.pid}-${randomUUID().slice(0, 8)}`,
    onError,
    redis,
    /** For a connection more, which waits while Redis is away. */
    patient: (role: string) => to(role, 'wait'),
    hub: createLiveHub(subscriber, LOOK_AGAIN_MS),
    catalog,
    stopWarning,
    now: Date.now,
    /** Ends what reads and waits here when all is closed. */
    closed: new AbortController(),
    revived: {
      backends,
      onRevived: (id: string) =>
        log.warn({ task: id }, 'a turn that was aborted ran again and is aborted again'),
    },
  }
}
