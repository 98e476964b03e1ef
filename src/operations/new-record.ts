/** A task as it is when it is accepted: its record, and the job that makes a worker look at it. */
import { lineOf } from '../gates/line-of.ts'
import type { Delivery } from '../queues/delivery.ts'
import type { TakenTurn } from '../queues/fair-turns.ts'
import type { RecordFields } from '../records/record-fields.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { CompareSpec } from '../tasks/compare-input.ts'
import type { ParsedTaskInput } from '../tasks/input.ts'
import type { Route } from '../tasks/route.ts'

/** An input that may be queued. */
export interface Admitted {
  input: ParsedTaskInput
  /** See `TaskRecord`. */
  key: string | null
  route: Route
  queue: string
  /** Real path; `null`: the server's own working directory. */
  directory: string | null
  /** See `TaskRecord`. */
  exclusiveBelow?: string | null
  compare?: CompareSpec | null
  keepsWorktree?: boolean
  /** See `TaskRecord`. */
  waiter?: string | null
  /** It is to be refused where its session is busy. */
  onlyIfFree?: boolean
  /** How long it may wait for its first start; absent: as all tasks. */
  queueTimeoutMs?: number | null
}

/** The job of a task: what the board shows of it without looking at the record. */
export function deliveryOf(id: string, { input, route, queue }: Admitted, turn?: TakenTurn): Delivery {
  return {
    id,
    queue,
    name: input.type ?? 'task',
    summary: { type: input.type, tier: route.tier, model: route.model },
    priority: input.priority ?? 0,
    turn,
    delayMs: input.delayMs ?? 0,
  }
}

/** A task as it is when it is accepted. */
export function newRecord(
  id: string,
  {
    input,
    key,
    route,
    queue,
    directory,
    exclusiveBelow = null,
    compare = null,
    keepsWorktree = false,
    waiter = null,
    queueTimeoutMs = null,
  }: Admitted,
  createdAt: number,
): TaskRecord {
  const delayMs = input.delayMs ?? 0
  return {
    id,
    state: delayMs > 0 ? 'delayed' : 'waiting',
    input,
    key,
    queue,
    type: input.type ?? null,
    tier: route.tier,
    model: route.model,
    route,
    directory,
    worktree: null,
    diff: null,
    exclusiveBelow,
    compare,
    comparison: null,
    keepsWorktree,
    waiter,
    createdAt,
    delayUntil: delayMs > 0 ? createdAt + delayMs : 0,
    fence: 0,
    attempt: 0,
    seq: 0,
    retries: 0,
    depth: 1,
    isParent: false,
    liveChildren: 0,
    queueTimeoutMs,
    startedAt: null,
    finishedAt: null,
    cancelAt: null,
    server: null,
    sessionID: null,
    checkpoint: null,
    done: [],
    spent: [],
    turnSpent: [],
    costBeforeRetry: 0,
    error: null,
    waitingFor: null,
    asks: [],
  }
}

/** What of a new record differs from an empty hash. */
export function fieldsOf(record: TaskRecord): RecordFields {
  const { state, input, key, route, queue, createdAt, directory, delayUntil, queueTimeoutMs } = record
  const fields: Record<string, string | number> = {
    state,
    input: JSON.stringify(input),
    route: JSON.stringify(route),
    queue,
    createdAt,
  }
  if (key !== null) fields.key = key
  if (directory !== null) fields.directory = directory
  if (record.exclusiveBelow !== null) fields.exclusiveBelow = record.exclusiveBelow
  if (record.compare !== null) fields.compare = JSON.stringify(record.compare)
  if (record.keepsWorktree) fields.keepsWorktree = 1
  if (record.waiter !== null) fields.waiter = record.waiter
  if (delayUntil > 0) fields.delayUntil = delayUntil
  if (queueTimeoutMs !== null) fields.queueTimeoutMs = queueTimeoutMs
  const line = lineOf(input)
  if (line !== undefined) fields.line = line
  return fields
}
