/**
 * Takes new tasks in: their records, their places in line and their jobs, in one step
 * (docs/decisions/0022-record-and-job-in-one-step.md).
 */
import { flat, type RecordFields } from '../records/record-fields.ts'
import { createBatcher } from '../redis/batcher.ts'
import type { RedisClient } from '../redis/connect.ts'
import type { Keys } from '../redis/keys.ts'
import { packArguments } from '../redis/pack-arguments.ts'
import { createScript } from '../redis/script.ts'
import { scriptSource } from '../redis/scripts.ts'
import { BULL_SCRIPTS, type BullScript } from './bullmq-scripts.ts'
import type { Delivery } from './delivery.ts'
import { type JobCall, jobArguments, jobCall } from './job-call.ts'
import type { TaskQueues } from './task-queues.ts'

/** Levels of tasks below each other, the topmost included. */
export const MAX_DEPTH = 5

/**
 * In one script. With more, this process and Redis wait for each other: at 64 connections the cores are idle for 20 % of
 * the time with 32, for 12 % with 16. Fewer cost this process more for each (bench/README.md, "POST /v1/tasks").
 */
const MOST_AT_ONCE = 16

/** Why a task may not have this parent: each is an error code. */
export type ParentRefusal = 'unknown_parent' | 'parent_finished' | 'nested_too_deep'

export interface NewTask {
  id: string
  fields: RecordFields
  /** `undefined`: none, as yet. */
  delivery: Delivery | undefined
  /** The line it gets a place in; `undefined`: none. */
  line?: string | undefined
  /** It is to be refused where anybody is in that line. */
  onlyIfFree?: boolean | undefined
  parentTaskID?: string | undefined
  /** Key in Redis of its idempotency key, and the answer to keep under it. */
  once?: { key: string; answer: string; ageMs: number } | undefined
}

export type Created =
  /** `before`: how many must leave its line before it. Only where that is 0 it was delivered. */
  | { status: 'created'; before: number }
  /** The idempotency key was used before; `answer` is what was kept then. */
  | { status: 'repeated'; answer: string }
  /**
   * `full`: `maxWaitingTasks` are not over already. `occupied`: its line, where it was not to wait. `gone`: its parent had
   * it already, and it was deleted since.
   */
  | { status: 'full' | 'occupied' | 'gone' | ParentRefusal }

export type CreateTask = (task: NewTask) => Promise<Created>

export interface CreateTasksDeps {
  redis: RedisClient
  keys: Keys
  queues: TaskQueues
  maxWaitingTasks: number
}

type Reply = number | [Exclude<Created['status'], 'created'>, string?]

const ADD_SCRIPTS: readonly BullScript[] = ['addStandardJob', 'addPrioritizedJob', 'addDelayedJob']

/**
 * One round trip, and one script for all that come in one turn of the event loop, which under load halves what each
 * of them costs Redis and this process. Atomic for each task; repeating one after a lost reply changes nothing.
 */
export function createTaskCreator({ redis, keys, queues, maxWaitingTasks }: CreateTasksDeps): CreateTask {
  const script = createScript(creatingScript())

  async function send(tasks: readonly NewTask[]): Promise<Created[]> {
    const ways = new Map<string, { number: number; call: JobCall }>()
    const packed = tasks.map(({ id, fields, delivery, ...more }) => [
      id,
      delivery && jobFor(delivery),
      moreOf(more),
      flat(fields),
    ])
    const calls = [...ways.values()].map(({ call }) => call)
    const scripts = calls.map(({ script, keys }) => [script, keys.length])
    const bullKeys = calls.flatMap(({ keys }) => keys)
    const replies = await script(redis, 2 + bullKeys.length, [
      ...[keys.tasks, keys.live, ...bullKeys],
      packArguments([keys.root, maxWaitingTasks, MAX_DEPTH, scripts, packed]),
    ])
    return (replies as readonly Reply[]).map(createdOf)

    function jobFor(delivery: Delivery) {
      const queue = queues.queue(delivery.queue)
      const args = jobArguments(queue, delivery)
      const { delay, priority } = args[2]
      const name = `${delay === undefined} ${priority === undefined} ${delivery.queue}`
      // BullMQ is asked for the first of those that it adds alike.
      const way = ways.get(name) ?? { number: ways.size + 1, call: jobCall(queue, delivery) }
      ways.set(name, way)
      return [way.number, args]
    }
  }

  return createBatcher(send, { until: 'turn', most: MOST_AT_ONCE })
}

/** What Redis is given: ours, with BullMQ's inside. */
export function creatingScript(): string {
  const functions = ADD_SCRIPTS.map(
    (name) => `${name} = function(redis, cmsgpack, KEYS, ARGV)\n${BULL_SCRIPTS[name].content}\nend`,
  )
  return `local add = {\n${functions.join(',\n')}\n}\n${scriptSource('create-tasks')}`
}

function moreOf({
  line,
  onlyIfFree,
  parentTaskID: parent,
  once,
}: Omit<NewTask, 'id' | 'fields' | 'delivery'>) {
  const isPlain = line === undefined && parent === undefined && once === undefined
  return isPlain ? undefined : { line, onlyIfFree, parent, once }
}

function createdOf(reply: Reply): Created {
  if (typeof reply === 'number') return { status: 'created', before: reply }
  const [status, answer] = reply
  return status === 'repeated' ? { status, answer: answer! } : { status }
}
