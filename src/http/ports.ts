/** What the HTTP server needs of the rest, as narrow interfaces; `orchestrator.ts` satisfies them. */

import type { Readable } from 'node:stream'
import type { Ask } from '../tasks/ask.ts'
import type { BudgetView } from '../tasks/budget-view.ts'
import type { Costs } from '../tasks/costs.ts'
import type { StreamItem } from '../tasks/event.ts'
import type { BatchItem, ChildrenQuery, ListQuery, TaskPage } from '../tasks/list-query.ts'
import type { Task } from '../tasks/task.ts'
import type { Explanation, ModelView, Readiness, RoutesView, TierView } from '../tasks/views.ts'

export interface HttpPorts {
  tasks: TaskPort
  sessions: SessionPort
  routing: RoutingPort
  money: MoneyPort
  health: HealthPort
  board: BoardPort
}

export interface TaskPort {
  /** Resolves when the task is in Redis. @throws {TierlineError} before anything is written. */
  submit(input: unknown): Promise<Task>
  /** As `submit`; 200 is the first answer to a repeated idempotency key. `caller`: name of the API key. */
  accept(input: unknown, caller: string | null): Promise<{ status: 200 | 202; task: Task }>
  /** Resolves when the comparison is in Redis; its tasks are submitted when it runs. */
  compare(input: unknown): Promise<Task>
  /** As `compare`; 200 as above. */
  acceptCompare(input: unknown, caller: string | null): Promise<{ status: 200 | 202; task: Task }>
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
  /** What the task asks of people, oldest first. */
  asks(id: string): Promise<Ask[]>
  /** @throws {TierlineError} `ask_not_found`, `ask_closed`, `invalid_input`. */
  answer(id: string, askID: string, answer: unknown): Promise<Ask>
  /** Lets a delayed task start now. */
  promote(id: string): Promise<Task>
  /** Removes record, log and job. @throws {TierlineError} `not_finished`. */
  remove(id: string): Promise<void>
}

/** OpenCode's sessions and the rest of its API, as far as that is passed on. */
export interface SessionPort {
  /** Opens a session with the model it asks for, in any spelling. @throws {TierlineError} before OpenCode is asked. */
  create(body: unknown, directory: string | undefined, signal: AbortSignal): Promise<PassedAnswer>
  /** Accepts a message as a task. @throws {TierlineError} `session_not_found`, `session_busy`, what a submit throws. */
  send(sessionID: string, body: unknown, caller: string | null): Promise<Task>
  /**
   * As `send`; `answer` is to be called once, and gives OpenCode's `{ info, parts }` when the task is over, or
   * `undefined` when `signal` aborts before.
   */
  ask(sessionID: string, body: unknown, caller: string | null): Promise<AskedMessage>
  /** Cancels what runs and what waits in the session, then passes the request on. */
  abort(sessionID: string, request: PassedRequest, signal: AbortSignal): Promise<PassedAnswer>
  /** The same before the session is deleted. */
  remove(sessionID: string, request: PassedRequest, signal: AbortSignal): Promise<PassedAnswer>
  patch(sessionID: string, body: unknown, request: PassedRequest, signal: AbortSignal): Promise<PassedAnswer>
  /** To the server of the session, or of the directory. */
  pass(request: PassedRequest, signal: AbortSignal): Promise<PassedAnswer>
  /** To whichever server knows what is named in the path. */
  passToAny(request: PassedRequest, signal: AbortSignal): Promise<PassedAnswer>
  /** OpenCode's events of a directory, as JSON objects, until `signal` aborts or the server ends them. */
  events(directory: string | undefined, signal: AbortSignal): AsyncIterable<object>
  /** Those of all directories that may be used, each in OpenCode's envelope. */
  allEvents(signal: AbortSignal): AsyncIterable<object>
  /** The real path. @throws {TierlineError} when it may not be used. */
  checkDirectory(directory: string, field: string): Promise<string>
  checkFile(url: string, field: string): Promise<string>
  /**
   * What a request means that names no directory; `undefined`: any may be used. @throws {TierlineError} when it may not
   * be used.
   */
  ownDirectory(signal: AbortSignal): Promise<string | undefined>
}

export interface AskedMessage {
  task: Task
  answer(signal: AbortSignal): Promise<object | undefined>
}

export interface PassedRequest {
  method: string
  /** Encoded, without the query. */
  path: string
  query: URLSearchParams
  /** JSON. */
  body?: string | undefined
  /** In the path; else the directory says which server it goes to. */
  sessionID?: string | undefined
  /** Real path. */
  directory?: string | undefined
  /** It is about no directory: the server's own need not be allowed. */
  ofServer?: true | undefined
  /** What the answer is, where it is changed before it is passed on. */
  shape?: 'session' | 'sessions' | 'messages' | 'status' | undefined
}

/** `json` where it was changed, else `raw` as it came. */
export type PassedAnswer = { status: number; headers: Readonly<Record<string, string>> } & (
  | { json: unknown }
  | { raw: Readable }
)

export interface RoutingPort {
  routes(): Promise<RoutesView>
  /** `key`: name of the API key it would be submitted with. */
  explain(input: unknown, key?: string | null): Promise<Explanation>
  models(): Promise<ModelView[]>
  /** @throws {TierlineError} `tier_not_found`; also takes `direct` and `nested`. */
  pauseTier(tier: string): Promise<TierView>
  resumeTier(tier: string): Promise<TierView>
}

export interface MoneyPort {
  /** The budgets in force, in the order of the file. */
  budgets(): Promise<BudgetView[]>
  /** @throws {TierlineError} `invalid_input`, `unknown_field`. */
  costs(query: unknown): Promise<Costs>
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
  /** What the board shows as the job's data: its input, in which the board masks secrets. */
  data: Record<string, unknown>
  processedBy: string | null
}

export interface BoardPort {
  queues(): readonly BoardQueue[]
}
