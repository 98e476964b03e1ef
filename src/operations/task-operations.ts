/** What a producer may do with a task that exists. Each keeps record and delivery in step, the record first. */
import { TierlineError } from '../errors.ts'
import { addSpent, totalOf } from '../ledger/spent.ts'
import type { TaskQueues } from '../queues/task-queues.ts'
import type { RecordStore } from '../records/record-store.ts'
import { taskNotFound } from '../records/task-not-found.ts'
import { type TaskRecord, viewTask } from '../records/task-record.ts'
import { NESTED_QUEUE } from '../routing/queue-of.ts'
import { renewed } from '../tasks/compare-input.ts'
import type { ChildrenQuery, TaskPage } from '../tasks/list-query.ts'
import { isTerminal } from '../tasks/state.ts'
import type { Task, TaskFailure } from '../tasks/task.ts'
import { listTasks } from './list-tasks.ts'
import { type Admitted, deliveryOf } from './new-record.ts'
import { routeOfComparison } from './submit-compare.ts'
import type { TakeTurn } from './take-turn.ts'

const CANCELLED: TaskFailure = { code: 'cancelled', message: 'The task was cancelled', retryable: false }

export interface TaskOperationsDeps {
  records: RecordStore
  queues: TaskQueues
  /** Routes a stored input again, by the table in force now. */
  readmit(record: TaskRecord): Promise<Admitted>
  /** Ends the turn of a task that ended while no worker had it, and books it; the record is kept up to date. Never rejects. */
  endLeftTurn(record: TaskRecord): Promise<void>
  takeTurn: TakeTurn
  /** Lets a task that is over go from its gates. */
  leaveGates(record: TaskRecord): Promise<void>
  now(): number
}

/** @throws {TierlineError} `task_not_found` from each of the functions. */
export function createTaskOperations(deps: TaskOperationsDeps) {
  const { records, queues, readmit, endLeftTurn, takeTurn, leaveGates, now } = deps

  async function get(id: string): Promise<Task> {
    return viewTask(await record(id), now())
  }

  async function record(id: string): Promise<TaskRecord> {
    const found = await records.read(id)
    if (found === undefined) throw taskNotFound(id)
    return found
  }

  /**
   * Idempotent. A running task is cancelled by its worker soon after; the answer may still say `running`.
   * Takes all tasks below it along, also where the task itself is over.
   */
  async function cancel(id: string): Promise<Task> {
    const found = await cancelOne(id)
    if (found === undefined) throw taskNotFound(id)
    // From the top down: no task gets a child any more once it is asked to end.
    let level = found.isParent ? [found] : []
    while (level.length > 0) {
      const ids = (await Promise.all(level.map((parent) => records.childrenOf(parent.id)))).flat()
      const below = await Promise.all(ids.map((child) => cancelOne(child)))
      level = below.filter((child) => child?.isParent === true) as TaskRecord[]
    }
    return viewTask(found.isParent ? await record(id) : found, now())
  }

  /** The record afterwards; `undefined`: there is none. */
  async function cancelOne(id: string): Promise<TaskRecord | undefined> {
    const { status, queue } = await records.cancel(id, now(), CANCELLED)
    if (status === 'gone') return undefined
    // A job that cannot be taken out is stale by now: its claim will say so.
    if (status === 'cancelled') await queues.withdraw(queue, id)
    const found = await records.read(id)
    if (status !== 'cancelled' || found === undefined) return found
    // Handed over, or put off, in the middle of a turn: it may still run, and no worker will look after it. What it held
    // comes after that: the next turn of its session would be aborted, and a budget would not count this one.
    await endLeftTurn(found)
    await leaveGates(found)
    return found
  }

  /** The same task once more, from its first message and in a new session. @throws {TierlineError} `not_finished`. */
  async function retry(id: string): Promise<Task> {
    const before = await record(id)
    if (!isTerminal(before.state)) throw notFinished('retry', id, before.state)
    const admitted = await readmit(before)
    const { compare } = before
    const route = compare === null ? admitted.route : routeOfComparison(admitted.route, compare)
    const queue = compare === null ? admitted.queue : NESTED_QUEUE
    const again = compare !== null && { compare: JSON.stringify(renewed(compare)) }
    // It worked in a worktree of its own, which is gone.
    const directory = before.input.isolation === 'worktree' && { directory: admitted.directory ?? '' }
    const below = before.exclusiveBelow !== null && { exclusiveBelow: admitted.exclusiveBelow ?? '' }
    const fields = {
      ...{ route: JSON.stringify(route), queue, model: route.model },
      ...directory,
      ...below,
      ...again,
      // What it may cost it may cost once more.
      ...(costOf(before) > 0 && { costBeforeRetry: costOf(before) }),
      // As after a delay: its time in the queue begins anew.
      delayUntil: now(),
    }
    const { status } = await records.retry(id, now(), fields)
    if (status === 'gone') throw taskNotFound(id)
    if (status === 'unfinished') throw notFinished('retry', id, 'running')
    // The finished job still has the id; BullMQ would ignore a second one.
    await queues.clear(before.queue, id)
    // A delivery that it left there for a cheaper tier, too.
    if (queue !== before.queue) await queues.withdraw(queue, id)
    const turn = await takeTurn({ ...admitted, queue })
    await queues.deliver({ ...deliveryOf(id, admitted, turn), queue, delayMs: 0 })
    return get(id)
  }

  /** Removes record, log and job. @throws {TierlineError} `not_finished`. */
  async function remove(id: string): Promise<void> {
    const { status, queue } = await records.remove(id)
    if (status === 'gone') throw taskNotFound(id)
    if (status === 'unfinished') throw notFinished('delete', id, 'live')
    await queues.clear(queue, id)
  }

  /** What was submitted below a task, newest first. @throws {TierlineError} `task_not_found`. */
  async function children(id: string, query: ChildrenQuery): Promise<TaskPage> {
    await record(id)
    return listTasks(records, { ...query, parentTaskID: id }, now())
  }

  /** Starts a delayed task now. */
  async function promote(id: string): Promise<Task> {
    const { queue } = await record(id)
    await records.endDelay(id, now())
    await queues.promote(queue, id)
    return get(id)
  }

  return { get, record, children, cancel, retry, remove, promote }
}

/** Estimates included. */
function costOf({ spent, turnSpent }: TaskRecord): number {
  const { costMicroUsd, costEstimatedMicroUsd } = totalOf(addSpent(spent, turnSpent))
  return costMicroUsd + costEstimatedMicroUsd
}

function notFinished(action: string, id: string, state: string): TierlineError {
  return new TierlineError(
    'not_finished',
    `Cannot ${action} task "${id}": it is ${state}, and must have finished; cancel it first, or wait`,
    {
      errors: [
        {
          field: 'state',
          message: 'must be one of these',
          given: state,
          allowed: ['succeeded', 'failed', 'cancelled'],
        },
      ],
    },
  )
}
