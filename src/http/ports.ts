/** What the HTTP server needs of the rest, as narrow interfaces; `orchestrator.ts` satisfies them. */

import type { StreamItem } from '../tasks/event.ts'
import type { BatchItem, ChildrenQuery, ListQuery, TaskPage } from '../tasks/list-query.ts'
import type { Task } from '../tasks/task.ts'
import type { Explanation, ModelView, Readiness, RoutesView, TierView } from '../tasks/views.ts'

export interface HttpPorts {
  tasks: TaskPort
  routing: RoutingPort
  health: HealthPort
  board: BoardPort
}

export interface TaskPort {
  /** Resolves when the task is in Redis. One round trip. @throws {TierlineError} before anything is written. */
  submit(input: unknown): Promise<Task>
  /** As `submit`; 200 is the first answer to a repeated idempotency key. `caller`: name of the API key. */
  accept(input: unknown, caller: string | null): Promise<{ status: 200 | 202; task: Task }>
  submitMany(inputs: readonly unknown[], caller?: string | null): Promise<BatchItem[]>
  /** @throws {TierlineError} `task_not_found`, as all that take an id. */
  get(id: string): Promise<Task>
  list(query: ListQuery): Promise<TaskPage>
  /** What was submitted below a task, newest first. */
  children(id: string, query: ChildrenQuery): Promise<TaskPage>
  /** The task once it is over, or as it is after `waitMs` or when `signal` aborts. */
  whenFinished(id: string, waitMs: number, signal: AbortSignal): Promise<Task>
  /** After `after` (exclusive), live until `end`. Stops at `signal`. @throws {TierlineError} `log_expired`. */
  events(id: string, options: { after: number; signal: AbortSignal }): AsyncIterable<StreamItem>
  /** Idempotent: a finished task is given back as it is. Takes the tasks below it along. */
  cancel(id: string): Promise<Task>
  /** @throws {TierlineError} `not_finished`. */
  retry(id: string): Promise<Task>
  /** Lets a delayed task start now. */
  promote(id: string): Promise<Task>
  /** Removes record, log and job. @throws {TierlineError} `not_finished`. */
  remove(id: string): Promise<void>
}

export interface RoutingPort {
  routes(): Promise<RoutesView>
  explain(input: unknown): Promise<Explanation>
  models(): Promise<ModelView[]>
  /** @throws {TierlineError} `tier_not_found`; also takes `direct` and `nested`. */
  pauseTier(tier: string): Promise<TierView>
  resumeTier(tier: string): Promise<TierView>
}

export interface HealthPort {
  /** Never throws. */
  readiness(): Promise<Readiness>
}

/** One BullMQ queue, seen through the truth of the task records. */
export interface BoardQueue {
  readonly name: string
  counts(): Promise<Record<BoardState, number>>
  /** Newest first; `end` is inclusive, as in BullMQ. */
  jobs(states: readonly BoardState[], start: number, end: number): Promise<BoardJob[]>
  job(id: string): Promise<BoardJob | undefined>
  /** The story of a task, line by line. */
  logs(id: string): Promise<string[]>
  isPaused(): Promise<boolean>
  pause(): Promise<void>
  resume(): Promise<void>
  /** `INFO` of the Redis server. */
  redisInfo(): Promise<string>
}

export type BoardState = 'active' | 'waiting' | 'prioritized' | 'delayed' | 'completed' | 'failed'

export interface BoardJob {
  id: string
  name: string
  state: BoardState
  task: Task
  /** What the board shows as the job's data: prompts shortened, secrets masked by the board itself. */
  data: Record<string, unknown>
  processedBy: string | null
}

export interface BoardPort {
  queues(): readonly BoardQueue[]
}
