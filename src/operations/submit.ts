/** Submit: check everything, then write the record and add its delivery. */
import { TierlineError } from '../errors.ts'
import { lineOf } from '../gates/line-of.ts'
import type { TakenTurn } from '../queues/fair-turns.ts'
import type { Delivery } from '../queues/task-queues.ts'
import type { RecordFields } from '../records/record-fields.ts'
import type { RecordStore } from '../records/record-store.ts'
import { type TaskRecord, viewTask } from '../records/task-record.ts'
import { translateRedisError } from '../redis/redis-unavailable.ts'
import type { CompareSpec } from '../tasks/compare-input.ts'
import type { ParsedTaskInput } from '../tasks/input.ts'
import type { BatchItem } from '../tasks/list-query.ts'
import { problemOf } from '../tasks/problem.ts'
import type { Route } from '../tasks/route.ts'
import type { Task } from '../tasks/task.ts'
import { createTaskID } from '../tasks/task-id.ts'
import type { DeliverNew } from './deliver-new.ts'
import { isParentRefusal, parentRefused } from './parent.ts'
import type { TakeTurn } from './take-turn.ts'

export interface SubmitDeps {
  records: RecordStore
  /** Parses and decides; @throws {TierlineError} for everything that is wrong with the input. */
  admit(input: unknown, caller: string | null): Promise<Admitted>
  /** Takes over where an idempotency key is given. */
  submitOnce(input: unknown, caller: string | null): Promise<Accepted>
  deliverNew: DeliverNew
  takeTurn: TakeTurn
  maxWaitingTasks: number
  newID?: () => string
  now(): number
}

/** `status` is that of HTTP: 200 gives the first answer to a repeated idempotency key again. */
export interface Accepted {
  status: 200 | 202
  task: Task
}

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
  /** How long it may wait for its first start; absent: as all tasks. */
  queueTimeoutMs?: number | null
}

export type Submit = ReturnType<typeof createSubmit>

/** See the two functions it returns. */
export function createSubmit(deps: SubmitDeps) {
  const {
    records,
    admit,
    submitOnce,
    deliverNew,
    takeTurn,
    maxWaitingTasks,
    newID = createTaskID,
    now,
  } = deps
  /**
   * Resolves when the task is in Redis: the record first, then its delivery. Two round trips; records that come
   * together are written together. A record whose delivery got lost in between is delivered by maintenance.
   */
  async function submit(raw: unknown, caller: string | null = null): Promise<Task> {
    if (hasKey(raw)) return (await submitOnce(raw, caller)).task
    return submitAdmitted(await admit(raw, caller))
  }

  async function submitAdmitted(admitted: Admitted): Promise<Task> {
    if (admitted.input.parentTaskID !== undefined) return submitChild(newID(), admitted)
    const record = newRecord(newID(), admitted, now())
    const turn = takeTurn(admitted)
    try {
      const line = record.delayUntil > 0 ? undefined : lineOf(record.input)
      const created = await records.create(record.id, record.state as 'waiting', fieldsOf(record), line)
      if (created.status === 'full') throw queueFull(maxWaitingTasks)
      await deliverNew(record, deliveryOf(record.id, admitted, turn && (await turn)), created.before)
    } catch (error) {
      throw translateRedisError(error)
    }
    return viewTask(record, record.createdAt)
  }

  /** As `submit`, and tells a repeat from a new task. `caller`: name of the API key, `null` without. */
  async function accept(raw: unknown, caller: string | null): Promise<Accepted> {
    return hasKey(raw) ? submitOnce(raw, caller) : { status: 202, task: await submit(raw, caller) }
  }

  /**
   * Writes a task below another one, then its delivery: two round trips, since the parent may refuse it.
   * Repeated with the same id it changes nothing. @throws {TierlineError}
   */
  async function submitChild(id: string, admitted: Admitted): Promise<Task> {
    const record = newRecord(id, admitted, now())
    const parentTaskID = admitted.input.parentTaskID!
    const turn = takeTurn(admitted)
    try {
      const state = record.state as 'waiting'
      const created = await records.createChild({ id, parentTaskID, state, fields: fieldsOf(record) })
      if (created.status === 'full') throw queueFull(maxWaitingTasks)
      if (isParentRefusal(created.status)) throw parentRefused(created.status, parentTaskID)
      await deliverNew(record, deliveryOf(id, admitted, turn && (await turn)))
    } catch (error) {
      throw translateRedisError(error)
    }
    return viewTask(record, record.createdAt)
  }

  /** One answer per input, in order; a refused one does not keep the others out. */
  async function submitMany(inputs: readonly unknown[], caller: string | null = null): Promise<BatchItem[]> {
    return Promise.all(
      inputs.map(async (input): Promise<BatchItem> => {
        try {
          return await accept(input, caller)
        } catch (error) {
          const problem = problemOf(error)
          return { status: problem.status, problem }
        }
      }),
    )
  }

  return { submit, submitAdmitted, submitChild, accept, submitMany }
}

function hasKey(raw: unknown): boolean {
  return (
    typeof raw === 'object' && raw !== null && 'idempotencyKey' in raw && raw.idempotencyKey !== undefined
  )
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
  const { input, key, route, queue, createdAt, directory, delayUntil, queueTimeoutMs } = record
  const fields: Record<string, string | number> = {
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

export function queueFull(limit: number): TierlineError {
  return new TierlineError('queue_full', `Cannot accept the task: ${limit} tasks wait already, the limit`, {
    errors: [
      { field: 'maxWaitingTasks', message: 'is reached: wait, add workers, or raise it', given: limit },
    ],
    retryAfterMs: 5_000,
  })
}
