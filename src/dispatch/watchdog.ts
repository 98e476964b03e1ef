import type { TaskWorker } from '../queues/task-worker.ts'

export interface WatchdogOptions {
  everyMs: number
  /** The workers of this process, by queue. */
  workers: ReadonlyMap<string, TaskWorker>
  /** True when tasks could be taken from the queue and nobody does. */
  isNeglected(queue: string): Promise<boolean>
  /** Puts another worker in the place of one that takes nothing any more. */
  replace(queue: string): void
}

/** Looks in a row after which a worker counts as dead: a healthy one takes a task within milliseconds. */
const LOOKS = 3

/**
 * Finds workers that live and take nothing: BullMQ's blocking connection may be lost for good after an outage of
 * Redis, while everything else about the worker looks well (taskforcesh/bullmq#4585). Asks Redis only about queues
 * whose worker had nothing to do since the last look.
 */
export function startWatchdog({ everyMs, workers, isNeglected, replace }: WatchdogOptions): {
  close(): void
} {
  const neglected = new Map<string, number>()
  let looking = false

  const timer = setInterval(() => {
    // While Redis is away there would be one more with each turn of the clock.
    if (looking) return
    looking = true
    look()
      .catch(() => neglected.clear())
      .finally(() => {
        looking = false
      })
  }, everyMs)

  async function look(): Promise<void> {
    for (const [queue, worker] of workers) {
      const count = worker.wasIdle() && (await isNeglected(queue)) ? (neglected.get(queue) ?? 0) + 1 : 0
      neglected.set(queue, count % LOOKS)
      if (count === LOOKS) replace(queue)
    }
  }

  return { close: () => clearInterval(timer) }
}
