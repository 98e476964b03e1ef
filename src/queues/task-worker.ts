/** The consumer's side of BullMQ: takes deliveries of one queue and turns what became of them into moves. */
import { randomUUID } from 'node:crypto'
import { DelayedError, type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq'
import { type Claim, parseClaim, type Write, type WriteResult } from '../records/record-store.ts'
import { resultOf, type TaskWrites } from '../records/task-writes.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import type { TaskFailure } from '../tasks/task.ts'
import { claimingBackend, type LastWrite } from './claiming-backend.ts'
import { turnOf } from './delivery.ts'
import type { Turn } from './fair-turns.ts'
import { createMainLoop } from './main-loop.ts'

/** A worker killed with -9 is replaced after at most `LOCK_MS + STALL_CHECK_MS` and a little: 4.2 to 5.2 s. */
const LOCK_MS = 4_000
const STALL_CHECK_MS = 1_000
/** How often a job that ends makes BullMQ look whether it keeps too many: it would do so each time. */
const TRIM_EVERY = 100
/** The claim counts deliveries; BullMQ would fail the job behind our back at the second crash. */
const NEVER = 1_000_000_000

/** `failed`: over, and not well; shown in the failed set. */
export type EndOfJob = { status: 'completed'; note: string } | { status: 'failed'; reason: string }

/**
 * Ends the job in the step that writes the end of its task, where that is not stale: then the delivery has this end,
 * and nothing may be left to do. One round trip less than one after the other.
 */
export type EndTogether = (write: Write, end: EndOfJob) => Promise<WriteResult>

/** What the world outside BullMQ made of a delivery. */
export type DeliveryOutcome =
  | EndOfJob
  | { status: 'delayed'; delayMs: number }
  | { status: 'returned' }
  /** Put off until somebody promotes it, or `wakeInMs` is over. `isOpenNow`: a wake may have come too early. */
  | { status: 'parked'; wakeInMs: number; isOpenNow(): Promise<boolean> }

export interface TaskWorkerOptions {
  queue: string
  /** Waits while Redis is away. Stays the caller's. */
  redis: RedisClient
  keys: Keys
  writes: Pick<TaskWrites, 'callOf' | 'repliesOf'>
  /** Deliveries at once in this process. */
  concurrency: number
  /** How many finished jobs to keep for the board. Retention takes each with its record, sooner or later. */
  keepFinished: number
  /** Name of this process. */
  name: string
  /** Deliveries that were neither finished nor returned, before a task counts as one that breaks its worker. */
  maxDeliveries: number
  /** With which a task fails that did. */
  poison: TaskFailure
  handle(taskID: string, claim: Claim, endTogether: EndTogether): Promise<DeliveryOutcome>
  /** A task was taken that had a turn among those of other API keys. */
  onTurn(queue: string, turn: Turn): void
  onError(error: Error): void
}

export interface TaskWorker {
  /** Changes the slots of this process while it runs. */
  setConcurrency(concurrency: number): void
  /** True when no delivery was under way since this was asked the last time. */
  wasIdle(): boolean
  /** Lets go of it without waiting for anything. */
  abandon(): void
  /** Takes nothing more. Deliveries under way go on. */
  pause(): Promise<void>
  /** Resolves when no delivery is under way and the connection it opened is closed. */
  close(): Promise<void>
}

/** Starts taking deliveries at once. */
export function createTaskWorker(options: TaskWorkerOptions): TaskWorker {
  // By count alone: BullMQ would look for each that is too old.
  const keep = { count: options.keepFinished }
  const { queue, redis, keys, writes, name, maxDeliveries } = options
  const poison = JSON.stringify(options.poison)
  const claims = new Map<string, Claim>()
  const lastWrites = new Map<string, LastWrite>()
  const mainLoop = createMainLoop()
  const backend = claimingBackend({
    redis,
    writes,
    lastWriteOf(id) {
      const last = lastWrites.get(id)
      lastWrites.delete(id)
      return last
    },
    hasRoom: mainLoop.hasRoom,
    onWaiting: mainLoop.wait,
    claimArgs: () => [keys.root, queue, `${name}/${randomUUID()}`, Date.now(), maxDeliveries, poison],
    onClaim: (id, reply) => void claims.set(id, parseClaim(id, reply)),
  })
  const worker = new Worker(
    queue,
    (job, token) => process(job, token!),
    {
      connection: redis,
      prefix: keys.queuePrefix,
      concurrency: options.concurrency,
      autorun: false,
      lockDuration: LOCK_MS,
      stalledInterval: STALL_CHECK_MS,
      maxStalledCount: NEVER,
    },
    backend,
  )
  worker.on('error', options.onError)
  mainLoop.drive(worker)
  worker.run().catch(options.onError)
  let underWay = 0
  let wasBusy = false
  let taken = 0

  async function process(job: Job, token: string): Promise<string> {
    underWay += 1
    taken += 1
    if (taken % TRIM_EVERY === 0) Object.assign(job.opts, { removeOnComplete: keep, removeOnFail: keep })
    const turn = turnOf(job.data)
    if (turn !== undefined) options.onTurn(options.queue, turn)
    try {
      return await deliver(job, token)
    } finally {
      underWay -= 1
      wasBusy = true
    }
  }

  /** BullMQ moves the job when its processor is over, and finds that it is moved already. */
  async function endWith(job: Job, token: string, write: Write, end: EndOfJob): Promise<WriteResult> {
    const last: LastWrite = { write }
    lastWrites.set(job.id!, last)
    const goesOn = mainLoop.mayGoOn()
    const moved =
      end.status === 'completed'
        ? job.moveToCompleted(end.note, token, goesOn)
        : job.moveToFailed(new UnrecoverableError(end.reason), token, goesOn)
    const asked: Partial<Pick<Job, 'moveToCompleted' | 'moveToFailed'>> = job
    // Assigned one by one they would be old at once, and keep all this (docs/development.md "Memory").
    Object.assign(asked, { moveToCompleted: () => moved, moveToFailed: () => moved })
    try {
      await moved
    } catch (error) {
      // It is to be moved like any other.
      delete asked.moveToCompleted
      delete asked.moveToFailed
      lastWrites.delete(job.id!)
      if (last.reply === undefined) throw error
    }
    return resultOf(write, last.reply!)
  }

  async function deliver(job: Job, token: string): Promise<string> {
    const id = job.id!
    const claim = claims.get(id)!
    claims.delete(id)
    const endTogether: EndTogether = (write, end) => endWith(job, token, write, end)
    const outcome = await options.handle(id, claim, endTogether).catch((error) => {
      // BullMQ keeps it with the job, where nobody is woken by it.
      options.onError(error)
      throw error
    })
    switch (outcome.status) {
      case 'completed':
        return outcome.note
      case 'failed':
        throw new UnrecoverableError(outcome.reason)
      case 'delayed':
        await job.moveToDelayed(Date.now() + outcome.delayMs, token)
        throw new DelayedError()
      case 'parked':
        await job.moveToDelayed(Date.now() + outcome.wakeInMs, token)
        // Should this fail, or somebody else be faster, it wakes all the same.
        if (await outcome.isOpenNow().catch(() => false)) await job.promote().catch(() => {})
        throw new DelayedError()
      case 'returned':
        await job.moveToWait(token)
        throw new WaitingError()
    }
  }

  return {
    setConcurrency(concurrency) {
      worker.concurrency = concurrency
    },
    wasIdle() {
      const idle = underWay === 0 && !wasBusy
      wasBusy = false
      return idle
    },
    abandon: () => void worker.close(true).catch(() => {}),
    pause: () => worker.pause(true),
    close: () => worker.close(),
  }
}
