import { TierlineError } from '../errors.ts'
import { lineOf } from '../gates/line-of.ts'
import type { CreateTask, NewTask } from '../queues/create-tasks.ts'
import type { Delivery } from '../queues/delivery.ts'
import type { TaskQueues } from '../queues/task-queues.ts'
import type { RecordStore } from '../records/record-store.ts'
import { taskNotFound } from '../records/task-not-found.ts'
import { type TaskRecord, viewTask } from '../records/task-record.ts'
import { translateRedisError } from '../redis/redis-unavailable.ts'
import type { Task } from '../tasks/task.ts'
import { type Admitted, deliveryOf, fieldsOf, newRecord } from './new-record.ts'
import { parentRefused } from './parent.ts'
import type { TakeTurn } from './take-turn.ts'
import type { TaskGates } from './task-gates.ts'

export interface TakeInDeps {
  create: CreateTask
  records: RecordStore
  queues: TaskQueues
  gates: TaskGates
  takeTurn: TakeTurn
  maxWaitingTasks: number
  now(): number
}

/** What is to be kept under an idempotency key. */
type KeepAnswer = (record: TaskRecord) => NonNullable<NewTask['once']>

/** `answer`: what was kept under an idempotency key that was used before; nothing was written then. */
type TakenIn = { task: Task; answer?: undefined } | { task?: undefined; answer: string }

export type TakeIn = ReturnType<typeof createTakeIn>

export function createTakeIn({ create, records, queues, gates, takeTurn, ...deps }: TakeInDeps) {
  /**
   * Resolves when the task is in Redis, and its job in the queue of its tier. Repeated with the same id it changes
   * nothing. One round trip; one more for the turn of its API key where there are several, and one where it has to
   * wait for others of its session.
   *
   * @throws {TierlineError} `queue_full`, `session_busy`, why its parent takes no child, `redis_unavailable`;
   *   `task_not_found` for a child that was taken in before, and was deleted since.
   */
  async function takeIn(id: string, admitted: Admitted): Promise<{ task: Task }>
  async function takeIn(id: string, admitted: Admitted, once: KeepAnswer): Promise<TakenIn>
  async function takeIn(id: string, admitted: Admitted, once?: KeepAnswer): Promise<TakenIn> {
    const record = newRecord(id, admitted, deps.now())
    const { parentTaskID } = record.input
    const turn = takeTurn(admitted)
    const delivery = deliveryOf(id, admitted, turn && (await turn))
    const created = await create({
      id,
      fields: fieldsOf(record),
      delivery,
      // A delayed one takes its place when its time has come.
      line: record.delayUntil > 0 ? undefined : lineOf(record.input),
      onlyIfFree: admitted.onlyIfFree,
      parentTaskID,
      once: once?.(record),
    }).catch((error) => {
      throw translateRedisError(error)
    })
    switch (created.status) {
      case 'created':
        if (created.before > 0) await putOff(record, delivery, created.before)
        return { task: viewTask(record, record.createdAt) }
      case 'repeated':
        return { answer: created.answer }
      case 'gone':
        throw taskNotFound(id)
      case 'full':
        throw queueFull(deps.maxWaitingTasks)
      case 'occupied':
        throw sessionBusy(record.input.sessionID!)
      default:
        throw parentRefused(created.status, parentTaskID!)
    }
  }

  /** Delivers a task that has others before it in its line, so that no worker takes it only to put it back. */
  async function putOff(record: TaskRecord, delivery: Delivery, before: number): Promise<void> {
    const { id } = record
    const line = gates.sessionTurn(record.input.sessionID!)
    const { detail, until, wakeInMs } = line.shutBehind(before)
    record.waitingFor = { reason: line.reason, detail, until }
    const [, , isOpen] = await Promise.all([
      records.setWaitingFor(id, record.waitingFor),
      queues.deliver({ ...delivery, delayMs: wakeInMs }),
      // Its turn may have come before there was a job to promote.
      line.isOpenTo(id),
    ])
    if (isOpen) await queues.promote(delivery.queue, id)
  }

  return takeIn
}

function queueFull(limit: number): TierlineError {
  return new TierlineError('queue_full', `Cannot accept the task: ${limit} tasks wait already, the limit`, {
    errors: [
      { field: 'maxWaitingTasks', message: 'is reached: wait, add workers, or raise it', given: limit },
    ],
    retryAfterMs: 5_000,
  })
}

function sessionBusy(sessionID: string): TierlineError {
  return new TierlineError(
    'session_busy',
    `Cannot send the message: the session "${sessionID}" is busy, and "busy" says "reject"`,
    { errors: [{ field: 'busy', message: 'is "reject", and a message runs or waits', given: 'reject' }] },
  )
}
