/** What must be done now and then by somebody: one process at a time, elected by a key with expiry. */
import { deliveryOf } from '../operations/new-record.ts'
import type { TakeTurn } from '../operations/take-turn.ts'
import type { TaskQueues } from '../queues/task-queues.ts'
import type { LiveTask } from '../records/record-reader.ts'
import type { RecordStore } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { queueTimeout } from '../runner/failure.ts'

const CHUNK = 500
/** A worker gives a sign of life every few seconds; one that was killed leaves its name. */
const WORKER_GONE_MS = 60 * 60_000

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
  /** How long a task may wait for its first start that names no time itself. */
  queueTimeoutMs(): number
  takeTurn: TakeTurn
  /** Numbers the turns in the queues anew where they have become large. */
  rebaseTurns(): Promise<void>
  /** Has the queues served in which tasks wait. */
  haveServed(queues: readonly string[]): Promise<void>
  /** A task that is over waits nowhere any more. */
  leaveGates(record: TaskRecord): Promise<void>
  retention(): { taskAgeMs: number; maxFinishedTasks: number }
  now(): number
  /** Looks after what was aborted and may run again. */
  abortRevived(): Promise<void>
  /** Removes sessions that no task uses. */
  sweepStrays(): Promise<void>
  /** Settles what was not, and wakes who waits for money that is there. */
  lookAfterBudgets(): Promise<void>
  /** Frees what nobody uses any more, and wakes who was let through and does not come. */
  lookAfterLimits(): Promise<void>
  lookAfterGates(): Promise<void>
  /** Removes worktrees of tasks that are over. */
  sweepWorktrees(): Promise<void>
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
  let looking: Promise<void> | undefined
  let closed = false
  const timer = setInterval(() => void look(), everyMs)

  const parts: readonly (() => Promise<unknown>)[] = [
    () => redis.zremrangebyscore(keys.workers, '-inf', now() - WORKER_GONE_MS),
    options.abortRevived,
    options.lookAfterBudgets,
    options.lookAfterLimits,
    options.lookAfterGates,
    options.sweepWorktrees,
    letGo,
    redeliver,
    options.rebaseTurns,
    options.sweepStrays,
  ]

  /** One at a time: while Redis is away there would be one more with each turn of the clock. */
  function look(): Promise<void> {
    looking ??= lookOnce()
      .catch(options.onError)
      .finally(() => {
        looking = undefined
      })
    return looking
  }

  async function lookOnce(): Promise<void> {
    if (closed || !(await elected())) return
    // One that fails keeps none of the others from being done.
    for (const part of parts) if (!closed) await part().catch(options.onError)
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

  /** Fails what has waited too long without ever being started. Gives the others. */
  async function expire(live: readonly LiveTask[]): Promise<LiveTask[]> {
    const expired = new Set<string>()
    for (const { id, queue, waitsSince, queueTimeoutMs = options.queueTimeoutMs() } of live) {
      if (waitsSince === undefined || now() - waitsSince <= queueTimeoutMs) continue
      if (!(await records.expire(id, now(), queueTimeout(queueTimeoutMs)))) continue
      expired.add(id)
      await queues.withdraw(queue, id)
      const record = await records.read(id)
      if (record !== undefined) await options.leaveGates(record)
    }
    return live.filter(({ id }) => !expired.has(id))
  }

  /** The sweeper: a live record that has had no job for a while gets one again. */
  async function redeliver(): Promise<void> {
    const seen = new Map<string, number>()
    const used = new Set<string>()
    let cursor: string | undefined
    for (;;) {
      const ids = await records.ids(['waiting', 'delayed', 'running'], cursor, CHUNK)
      const live = await expire(await records.liveQueues(ids))
      for (const { queue } of live) used.add(queue)
      const lost = await queues.undelivered(live)
      const overdue: string[] = []
      for (const id of lost) {
        const since = missing.get(id) ?? now()
        if (now() - since < missingMs) seen.set(id, since)
        else overdue.push(id)
      }
      for (const record of await records.readMany(overdue)) {
        if (record === undefined) continue
        // What is left of a delivery that failed has the same id.
        await queues.withdraw(record.queue, record.id)
        await queues.deliver({
          ...deliveryOf(record.id, record, await options.takeTurn(record)),
          delayMs: Math.max(0, record.delayUntil - now()),
        })
        options.onSwept(record.id)
      }
      cursor = ids.at(-1)
      if (ids.length < CHUNK || closed) break
    }
    missing = seen
    await options.haveServed([...used])
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
