/** What must be done now and then by somebody: one process at a time, elected by a key with expiry. */
import { deliveryOf } from '../operations/submit.ts'
import type { TaskQueues } from '../queues/task-queues.ts'
import type { RecordStore } from '../records/record-store.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { isTerminal } from '../tasks/state.ts'

const CHUNK = 500

export interface MaintenanceOptions {
  redis: RedisClient
  keys: Keys
  records: RecordStore
  queues: TaskQueues
  /** Name of this process. */
  name: string
  /** How often it looks. */
  everyMs: number
  /** How long a live task may be without a job before it gets one. */
  missingMs: number
  retention(): { taskAgeMs: number; maxFinishedTasks: number }
  now(): number
  onSwept(taskID: string): void
  onError(error: Error): void
}

/** Starts at once; `close()` waits for the look under way. */
export function startMaintenance(options: MaintenanceOptions): {
  close(): Promise<void>
  look(): Promise<void>
} {
  const { redis, keys, records, queues, name, everyMs, missingMs, retention, now } = options
  // Live tasks without a job, by when that was first seen.
  let missing = new Map<string, number>()
  let looking: Promise<void> = Promise.resolve()
  let closed = false
  const timer = setInterval(() => void look(), everyMs)

  function look(): Promise<void> {
    looking = looking.then(async () => {
      if (closed) return
      try {
        if (!(await elected())) return
        await letGo()
        await redeliver()
      } catch (error) {
        options.onError(error as Error)
      }
    })
    return looking
  }

  async function elected(): Promise<boolean> {
    const termMs = everyMs * 3
    if ((await redis.set(keys.maintainer, name, 'PX', termMs, 'NX')) === 'OK') return true
    if ((await redis.get(keys.maintainer)) !== name) return false
    await redis.pexpire(keys.maintainer, termMs)
    return true
  }

  /** Retention: the oldest finished tasks go, with log and job. */
  async function letGo(): Promise<void> {
    const { taskAgeMs, maxFinishedTasks } = retention()
    for (;;) {
      const ids = await records.expired(now() - taskAgeMs, maxFinishedTasks, CHUNK)
      for (const id of ids) {
        const { status, queue } = await records.remove(id)
        if (status === 'removed') await queues.withdraw(queue, id)
      }
      if (ids.length < CHUNK || closed) return
    }
  }

  /** The sweeper: a live record that has had no job for a while gets one again. */
  async function redeliver(): Promise<void> {
    const seen = new Map<string, number>()
    let cursor: string | undefined
    for (;;) {
      const ids = await records.ids(['waiting', 'delayed', 'running'], cursor, CHUNK)
      const found = (await records.readMany(ids)).filter((record) => record !== undefined)
      const live = found.filter((record) => !isTerminal(record.state))
      const lost = new Set(await queues.undelivered(live))
      for (const record of live.filter(({ id }) => lost.has(id))) {
        const since = missing.get(record.id) ?? now()
        if (now() - since < missingMs) {
          seen.set(record.id, since)
          continue
        }
        await queues.withdraw(record.queue, record.id)
        await queues.deliver({
          ...deliveryOf(record.id, record),
          delayMs: Math.max(0, record.delayUntil - now()),
        })
        options.onSwept(record.id)
      }
      cursor = ids.at(-1)
      if (ids.length < CHUNK || closed) break
    }
    missing = seen
  }

  return {
    look,
    async close() {
      closed = true
      clearInterval(timer)
      await looking
      if ((await redis.get(keys.maintainer).catch(() => null)) === name)
        await redis.del(keys.maintainer).catch(() => 0)
    },
  }
}
