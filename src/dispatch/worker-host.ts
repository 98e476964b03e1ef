/** The queues one worker process serves: opened, resized and closed as the routing table says. */
import { rememberQueues } from '../queues/known-queues.ts'
import type { TaskQueues } from '../queues/task-queues.ts'
import { createTaskWorker, type TaskWorkerOptions } from '../queues/task-worker.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { NESTED_QUEUE } from '../routing/queue-of.ts'
import type { RoutingTable } from '../routing/table.ts'
import { tierConcurrency } from '../routing/tier-concurrency.ts'
import { withinMs } from '../runner/within-ms.ts'
import type { RunningTasks } from './running-tasks.ts'
import { type Post, startWatchdog } from './watchdog.ts'

/**
 * Nested tasks at a time in this process, beside those that only wait for children of their own: those
 * must never keep their children out.
 */
const NESTED_SLOTS = 100
const BEAT_MS = 5_000
const WATCH_MS = 5_000

export interface WorkerHostOptions {
  redis: RedisClient
  keys: Keys
  writes: TaskWorkerOptions['writes']
  queues: TaskQueues
  running: RunningTasks
  /** Serves only these queues, and `nested`; all when `undefined`. */
  tiers: readonly string[] | undefined
  /** At most this many tasks of a tier in this process; `undefined`: as the tier says. */
  concurrency: number | undefined
  /** Slots of a queue that nobody limits, in this process. */
  defaultConcurrency: number
  keepFinished: number
  /** Name of this process in Redis. */
  name: string
  maxDeliveries: number
  poison: TaskWorkerOptions['poison']
  handle: TaskWorkerOptions['handle']
  onTurn: TaskWorkerOptions['onTurn']
  /** Tells the runs to hand their tasks over. */
  stopRuns(): void
  /** How often the watchdog looks. Default 5 s. */
  watchMs?: number
  /** For tests. */
  createWorker?: typeof createTaskWorker
  onError(error: Error): void
}

export interface WorkerHost {
  /** Opens the queues of the table, and those of removed tiers that still hold tasks; resizes what is open. */
  apply(table: RoutingTable): Promise<void>
  /** False: it would serve that queue, had it known of it. */
  knows(queue: string): boolean
  /** Takes nothing more, gives what runs `graceMs` to end, hands the rest over. Aborts nothing. */
  close(graceMs: number): Promise<void>
}

export function createWorkerHost(options: WorkerHostOptions): WorkerHost {
  const { redis, keys, queues, running, tiers, concurrency: cap, name } = options
  const { watchMs = WATCH_MS, createWorker = createTaskWorker } = options
  const mains = new Map<string, Post>()
  // BullMQ looks for a further slot at the end of a job only, so more room is a further worker.
  const extensions: Post[] = []
  const annexes: Post[] = []
  const all = (): Post[] => [...mains.values(), ...extensions, ...annexes]
  let closed = false
  const beat = () => redis.zadd(keys.workers, Date.now(), name).catch(() => {})
  const timer = setInterval(beat, BEAT_MS)

  function isMine(queue: string): boolean {
    return tiers === undefined || tiers.includes(queue) || queue === NESTED_QUEUE
  }

  async function apply(table: RoutingTable): Promise<void> {
    await beat()
    const limits = new Map(table.tiers.map((tier) => [tier.name, tierConcurrency(tier, table)]))
    for (const queue of await rememberQueues({ redis, keys, queues }, [...limits.keys()])) {
      const limit = limits.get(queue) ?? null
      // Whoever waits for a nested task has a slot already, so every worker may be the one that must run it.
      const isNested = queue === NESTED_QUEUE
      if (!isMine(queue)) continue
      await queues.setConcurrency(queue, limit)
      // A reload may come while the process stops.
      if (closed) return
      const slots = isNested
        ? NESTED_SLOTS
        : Math.min(limit ?? options.defaultConcurrency, cap ?? Number.POSITIVE_INFINITY)
      resize(queue, slots)
    }
  }

  function openAt(queue: string, concurrency: number): Post {
    return { queue, concurrency, worker: createWorker({ ...options, queue, concurrency }) }
  }

  function resize(queue: string, slots: number): void {
    const main = mains.get(queue)
    const further = extensions
      .filter((post) => post.queue === queue)
      .reduce((sum, { concurrency }) => sum + concurrency, 0)
    const now = further + (main?.concurrency ?? 0)
    if (main === undefined) mains.set(queue, openAt(queue, slots))
    else if (slots > now) extensions.push(openAt(queue, slots - now))
    else {
      // The queue itself keeps to its limit, so a slot too many takes nothing.
      main.concurrency = Math.max(1, slots - further)
      main.worker.setConcurrency(main.concurrency)
    }
  }

  const watchdog = startWatchdog({
    everyMs: watchMs,
    posts: all,
    isNeglected: (queue) => queues.isNeglected(queue, Date.now()),
    replace(post) {
      if (closed) return
      const { queue } = post
      options.onError(new Error(`a worker of the queue "${queue}" took nothing any more and was replaced`))
      post.worker.abandon()
      post.worker = openAt(queue, post.concurrency).worker
    },
  })

  /** Always more slots than parents, and never so many that every nested task runs at once. */
  function makeRoom(): void {
    if (closed) return
    while (annexes.length < Math.floor((2 * running.parents) / NESTED_SLOTS))
      annexes.push(openAt(NESTED_QUEUE, NESTED_SLOTS))
  }
  running.onParent(makeRoom)

  async function close(graceMs: number): Promise<void> {
    closed = true
    clearInterval(timer)
    watchdog.close()
    const open = all().map(({ worker }) => worker)
    await Promise.all(open.map((worker) => worker.pause()))
    const closing = Promise.all(open.map((worker) => worker.close()))
    if (running.size > 0 && graceMs > 0) await withinMs(closing, graceMs)
    options.stopRuns()
    await closing
    await redis.zrem(keys.workers, name).catch(() => {})
  }

  return { apply, knows: (queue) => mains.has(queue) || !isMine(queue), close }
}
