import type { TaskWorker } from '../queues/task-worker.ts'

/** A worker at a queue. Another may take its place. */
export interface Post {
  readonly queue: string
  concurrency: number
  worker: TaskWorker
}

export interface WatchdogOptions {
  everyMs: number
  /** All of this process: several at a queue where it was given more slots. */
  posts(): readonly Post[]
  /** True when a task could be taken from the queue. */
  isNeglected(queue: string): Promise<boolean>
  /** Puts another worker in the place of one that takes nothing any more. */
  replace(post: Post): void
}

/** Looks in a row after which a worker counts as dead: a healthy one takes a task within milliseconds. */
const LOOKS = 3

/**
 * Finds workers that live and take nothing: BullMQ's blocking connection may be lost for good after an outage of
 * Redis, while everything else about the worker looks well (taskforcesh/bullmq#4585). Asks Redis only about queues
 * with a worker that had nothing to do since the last look.
 */
export function startWatchdog({ everyMs, posts, isNeglected, replace }: WatchdogOptions): { close(): void } {
  const neglected = new Map<Post, number>()
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
    for (const post of posts()) {
      const isIdle = post.worker.wasIdle()
      const count = isIdle && (await isNeglected(post.queue)) ? (neglected.get(post) ?? 0) + 1 : 0
      neglected.set(post, count % LOOKS)
      if (count === LOOKS) replace(post)
    }
  }

  return { close: () => clearInterval(timer) }
}
