/**
 * The producer's side of BullMQ: one queue per tier, `direct` for pinned models of no tier, and `nested`.
 *
 * A job is only a delivery (docs/decisions/0001-record-is-the-truth.md): its id is the task's, its data a
 * summary for whoever looks at the queue; the record is the truth.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode, Queue } from 'bullmq'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { runPipeline } from '../redis/run-pipeline.ts'
import { scriptsOn } from '../redis/scripts.ts'
import { type Delivery, jobOf, turnOf } from './delivery.ts'
import type { Turn } from './fair-turns.ts'

/** Queues that are there whatever the table says. No tier may have their names. */
export const EXTRA_QUEUES = ['direct', 'nested'] as const

// Together two seconds: what a worker has to write at the end takes milliseconds.
const MOST_TRIES = 100
const BETWEEN_TRIES_MS = 20

/** BullMQ keeps the time of a delayed job in the upper bits of its score. */
const DELAY_SHIFT = 4096
const OVERDUE_MS = 5_000

const CHUNK = 500

export type TaskQueues = ReturnType<typeof createTaskQueues>

/** Queues are opened when first named, on one shared connection which stays the caller's. */
export function createTaskQueues({ redis, keys }: { redis: RedisClient; keys: Keys }) {
  const scripts = scriptsOn(redis)
  const queues = new Map<string, Queue>()

  function queue(name: string): Queue {
    return queues.get(name) ?? open(name)
  }

  function open(name: string): Queue {
    const opened = new Queue(name, { connection: redis, prefix: keys.queuePrefix, skipWaitingForReady: true })
    // Every command reports its own failure; without a listener the event would end the process.
    opened.on('error', () => {})
    queues.set(name, opened)
    // BullMQ asks the server who it is when a queue is opened, and never again: one that was opened while Redis was away
    // would fail for good.
    opened.waitUntilReady().catch(() => {
      if (queues.get(name) === opened) queues.delete(name)
      opened.close().catch(() => {})
    })
    return opened
  }

  return {
    queue,

    /** Adds the job; a second one with the same id is ignored by BullMQ. One round trip. */
    async deliver(delivery: Delivery): Promise<void> {
      const { name, data, options } = jobOf(delivery)
      await queue(delivery.queue).add(name, data, options)
    },

    /** Takes the job out, if it is there. `false` when a worker has it. */
    async withdraw(name: string, id: string): Promise<boolean> {
      return (await queue(name).remove(id)) === 1
    },

    /** Takes out the job of a task that is over: its worker is about to let go of it, if it has not yet. */
    async clear(name: string, id: string): Promise<void> {
      for (let tries = 0; tries < MOST_TRIES; tries += 1) {
        if ((await queue(name).remove(id)) === 1) return
        await sleep(BETWEEN_TRIES_MS)
      }
    },

    /** Starts a delayed job now; nothing happens when it is not delayed. */
    async promote(name: string, id: string): Promise<void> {
      const job = await queue(name).getJob(id)
      await job?.promote().catch((error) => {
        if (error.code !== ErrorCode.JobNotInState) unlessGone(error)
      })
    },

    /** As `promote`, and the first of these comes before all that wait in their queues. One round trip for all. */
    async promoteFirst(jobs: readonly { id: string; queue: string }[]): Promise<void> {
      await Promise.all(
        jobs.toReversed().map(({ id, queue: name }) => {
          const key = (part: string) => queue(name).toKey(part)
          const parts = ['delayed', 'wait', 'meta', 'active', 'marker', 'events', id]
          return scripts('promote-first', [...parts.map(key), id])
        }),
      )
    },

    /** Gives jobs that wait another priority, by the turn they carry. `undefined`: it stays. Those that go meanwhile are left out. */
    async reprioritise(name: string, priorityOf: (turn: Turn) => number | undefined): Promise<void> {
      const ids = await queue(name).getRanges(['prioritized', 'delayed'], 0, -1, true)
      for (let from = 0; from < ids.length; from += CHUNK) {
        await Promise.all(
          ids.slice(from, from + CHUNK).map(async (id) => {
            const job = await queue(name).getJob(id)
            const turn = turnOf(job?.data)
            const priority = turn && priorityOf(turn)
            if (priority !== undefined) await job!.changePriority({ priority }).catch(unlessGone)
          }),
        )
      }
    },

    /** How many tasks of a queue may run at once, over all workers; `null`: as many as there are slots. */
    async setConcurrency(name: string, concurrency: number | null): Promise<void> {
      if (concurrency === null) await queue(name).removeGlobalConcurrency()
      else await queue(name).setGlobalConcurrency(concurrency)
    },

    /** Jobs of a queue that have not finished. One round trip. */
    unfinished: (name: string) => queue(name).getJobCountByTypes('wait', 'prioritized', 'delayed', 'active'),

    pause: (name: string) => queue(name).pause(),
    resume: (name: string) => queue(name).resume(),
    isPaused: (name: string) => queue(name).isPaused(),

    /** True when a job could be taken now, or is overdue. One round trip. */
    async isNeglected(name: string, now: number): Promise<boolean> {
      const key = (part: string) => queue(name).toKey(part)
      const replies = await runPipeline(
        redis
          .pipeline()
          .hmget(key('meta'), 'paused', 'concurrency')
          .llen(key('active'))
          .llen(key('wait'))
          .zcard(key('prioritized'))
          .zrange(key('delayed'), '0', '0', 'WITHSCORES'),
      )
      type Replies = [[string | null, string | null], number, number, number, [string?, string?]]
      const [[paused, limit], active, waiting, prioritized, [, dueAt]] = replies as Replies
      const isOverdue = dueAt !== undefined && Number(dueAt) / DELAY_SHIFT < now - OVERDUE_MS
      const isFull = limit !== null && active >= Number(limit)
      return paused === null && !isFull && (waiting + prioritized > 0 || isOverdue)
    },

    /** Of those ids, the ones that have no job which could still run. One round trip. */
    async undelivered(tasks: readonly { id: string; queue: string }[]): Promise<string[]> {
      const pipeline = redis.pipeline()
      for (const { id, queue: name } of tasks) {
        const job = queue(name).toKey(id)
        pipeline.exists(job)
        pipeline.hexists(job, 'finishedOn')
      }
      const replies = await runPipeline(pipeline)
      const flag = (index: number) => replies[index] === 1
      return tasks.filter((_, index) => !flag(2 * index) || flag(2 * index + 1)).map(({ id }) => id)
    },

    /** Closes what it opened; the connection stays open. */
    async close(): Promise<void> {
      await Promise.all([...queues.values()].map((open) => open.close()))
      queues.clear()
    },
  }
}

/** The job was taken out, or is over and was cleared away, since it was looked at. */
function unlessGone(error: { code?: unknown }): void {
  if (error.code !== ErrorCode.JobNotExist) throw error
}
