/** Bull Board over the truth of the task records instead of BullMQ's jobs. */

import { BaseAdapter } from '@bull-board/api/dist/queueAdapters/base.js'
import type { JobCounts, JobStatus, QueueJobOptions, QueueMetrics, Status } from '@bull-board/api/typings/app'
import { z } from 'zod'
import { TierlineError } from '../../errors.ts'
import { TaskInput } from '../../tasks/input.ts'
import type { BoardQueue, BoardState, TaskPort } from '../ports.ts'
import { maskedText } from './mask.ts'
import { createTaskJob, type TaskJob } from './task-job.ts'

const STATES = ['active', 'waiting', 'prioritized', 'delayed', 'completed', 'failed'] as const

/** Job names that are no task types: ours of a task without one, and the board's for none given. */
const UNTYPED = ['task', '__default__']

const PAGE = 100

/** Remove is cancel, retry is retry, add is submit; what would go behind the records' back is refused. */
export class TaskQueueAdapter extends BaseAdapter {
  readonly #queue: BoardQueue
  readonly #tasks: TaskPort

  constructor(queue: BoardQueue, tasks: TaskPort) {
    super('bullmq', {
      // The editor completes and checks by it, and starts from the default.
      jobDataSchema: { ...z.toJSONSchema(TaskInput, { io: 'input' }), default: { prompt: '' } },
      externalJobUrl: ({ id }) => ({ displayText: 'JSON', href: `/v1/tasks/${id}` }),
    })
    this.#queue = queue
    this.#tasks = tasks
  }

  getName(): string {
    return this.#queue.name
  }

  getStatuses(): Status[] {
    return ['latest', ...STATES] as Status[]
  }

  getJobStatuses(): JobStatus[] {
    return [...STATES] as JobStatus[]
  }

  async getJobCounts(): Promise<JobCounts> {
    return { ...(await this.#queue.counts()) } as unknown as JobCounts
  }

  async getJob(id: string): Promise<TaskJob | undefined> {
    const job = await this.#queue.job(id)
    return job && createTaskJob(job, this.#tasks)
  }

  async getJobs(states: JobStatus[], start = 0, end = PAGE - 1): Promise<TaskJob[]> {
    const jobs = await this.#queue.jobs(states as unknown as BoardState[], start, end)
    return jobs.map((job) => createTaskJob(job, this.#tasks))
  }

  async getJobLogs(id: string): Promise<string[]> {
    return (await this.#queue.logs(id)).map(maskedText)
  }

  /** The data is a task input, the name its type. It goes to this queue's tier unless the data says otherwise. */
  async addJob(name: string, data: unknown, { delay }: QueueJobOptions): Promise<TaskJob> {
    const given = withoutNulls(data)
    const routed = ['direct', 'nested'].includes(this.#queue.name) || 'tier' in given || 'model' in given
    const task = await this.#tasks.submit({
      ...(!routed && { tier: this.#queue.name }),
      ...(!UNTYPED.includes(name) && { type: name }),
      ...(delay !== undefined && delay > 0 && { delayMs: delay }),
      ...given,
    })
    const state = task.state === 'delayed' ? 'delayed' : 'waiting'
    const job = { id: task.id, name, state, task, data: given, processedBy: null } as const
    return createTaskJob(job, this.#tasks)
  }

  isPaused(): Promise<boolean> {
    return this.#queue.isPaused()
  }

  pause(): Promise<void> {
    return this.#queue.pause()
  }

  resume(): Promise<void> {
    return this.#queue.resume()
  }

  /** Those that are delayed now; each page is read after the one before has left the set. */
  async promoteAll(): Promise<void> {
    const seen = new Set<string>()
    for (;;) {
      const jobs = await this.#queue.jobs(['delayed'], 0, PAGE - 1)
      const fresh = jobs.filter(({ id }) => !seen.has(id))
      if (fresh.length === 0) return
      for (const { id } of fresh) seen.add(id)
      await Promise.all(fresh.map(({ id }) => this.#tasks.promote(id)))
    }
  }

  getRedisInfo(): Promise<string> {
    return this.#queue.redisInfo()
  }

  async getGlobalConcurrency(): Promise<null> {
    return null
  }

  async setGlobalConcurrency(): Promise<void> {
    throw this.#refusal('set the concurrency of', 'it stands in the routing table')
  }

  async clean(): Promise<void> {
    throw this.#refusal('clean', 'finished tasks go by their age; cancel or remove tasks one by one')
  }

  async empty(): Promise<void> {
    throw this.#refusal('empty', 'cancel tasks one by one, or pause the queue')
  }

  async obliterate(): Promise<void> {
    throw this.refuseToObliterate()
  }

  refuseToObliterate(): TierlineError {
    return this.#refusal('obliterate', 'its tasks would be lost; cancel them instead')
  }

  async getJobSchedulers(): Promise<[]> {
    return []
  }

  async getJobSchedulersCount(): Promise<number> {
    return 0
  }

  async removeJobScheduler(): Promise<boolean> {
    throw this.#refusal('remove a scheduler of', 'there are none')
  }

  async updateJobScheduler(): Promise<'not-found'> {
    return 'not-found'
  }

  async runJobSchedulerNow(): Promise<'not-found'> {
    return 'not-found'
  }

  async getMetrics(): Promise<QueueMetrics> {
    throw this.#refusal('read the metrics of', 'tierline keeps none here')
  }

  // Asked of every adapter of the type `bullmq`, for flows, which tierline does not use.
  getQueueQualifiedName(): string {
    return this.#queue.name
  }

  async getFlowProducer(): Promise<null> {
    return null
  }

  #refusal(action: string, why: string): TierlineError {
    return new TierlineError('not_supported', `Cannot ${action} queue "${this.#queue.name}": ${why}`)
  }
}

/** A job that the board duplicates names what it does not have as `null`. */
function withoutNulls(data: unknown): Record<string, unknown> {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return {}
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null))
}
