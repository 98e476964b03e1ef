/** `test` with a record store on the Redis of this run, and what it needs around it. */
import { type CreateTask, createTaskCreator, type NewTask } from '../../src/queues/create-tasks.ts'
import { createTaskQueues } from '../../src/queues/task-queues.ts'
import type { RecordFields } from '../../src/records/record-fields.ts'
import type { RecordStore, Write } from '../../src/records/record-store.ts'
import { createRecordStore } from '../../src/records/record-store.ts'
import type { TaskRecord } from '../../src/records/task-record.ts'
import type { RedisClient } from '../../src/redis/connect.ts'
import { createQuotas } from '../../src/redis/quotas.ts'
import { scriptsOn } from '../../src/redis/scripts.ts'
import { readLog } from '../../src/stream/read-log.ts'
import type { NewEvent, TaskEvent } from '../../src/tasks/event.ts'
import type { Route } from '../../src/tasks/route.ts'
import type { TaskFailure } from '../../src/tasks/task.ts'
import { createTaskID } from '../../src/tasks/task-id.ts'
import { test as base } from '../setup/redis-test.ts'

export interface RecordsFixture {
  redis: RedisClient
  store: RecordStore
  /** Another store on the same connection, with limits of its own. */
  withLimits(limits: Partial<typeof LIMITS>): RecordStore
  /** As a submit, with `limits.maxWaitingTasks` of its own. */
  creatorFor(maxWaitingTasks: number): CreateTask
  /** Creates a task and gives its id. It has no job. */
  create(state?: 'waiting' | 'delayed', fields?: RecordFields): Promise<string>
  /** A claim that must succeed. */
  claimed(id: string): Promise<TaskRecord>
  log(id: string): Promise<TaskEvent[]>
}

export const LIMITS = { logAgeMs: 60_000, maxLogEvents: 10_000, ledgerDays: () => 400 }
export const MAX_DELIVERIES = 5
export const CANCELLED: TaskFailure = { code: 'cancelled', message: 'cancelled', retryable: false }
export const POISON: TaskFailure = { code: 'too_many_deliveries', message: 'it breaks', retryable: false }
export const ROUTE: Route = {
  generation: 1,
  requested: {},
  tier: 'fast',
  model: 'acme/nano',
  chain: [],
  steps: [],
}

export const test = base.extend<{ records: RecordsFixture }>({
  records: async ({ redis: { keys, connect } }, use) => {
    const redis = await connect('fail')
    const scripts = scriptsOn(redis)
    const quotas = createQuotas({ scripts, keys, wake: async () => {} })
    const withLimits: RecordsFixture['withLimits'] = (limits) =>
      createRecordStore({ ...LIMITS, ...limits, redis, scripts, keys, quotas })
    const store = withLimits({})
    const queues = createTaskQueues({ redis, keys })
    const creatorFor = (maxWaitingTasks: number) =>
      createTaskCreator({ redis, keys, queues, maxWaitingTasks })
    const create = creatorFor(1_000)

    await use({
      redis,
      store,
      withLimits,
      creatorFor,
      async create(state = 'waiting', fields = {}) {
        const id = createTaskID()
        await create(newTask(id, { ...recordFields(), state, ...fields }))
        return id
      },
      async claimed(id) {
        const claim = await store.claim(id, claimOptions())
        if (claim.status !== 'claimed') throw new Error(`Cannot claim task "${id}": it is ${claim.status}`)
        return claim.record
      },
      log: (id) => readLog(redis, keys, id),
    })
    await queues.close()
  },
})

/** One that nobody delivers. */
export function newTask(id: string, fields = recordFields(), more: Partial<NewTask> = {}): NewTask {
  return { id, fields, delivery: undefined, ...more }
}

/** What `submit` writes, of a task that asks for nothing special. */
export function recordFields(): RecordFields {
  return {
    state: 'waiting',
    input: JSON.stringify({ prompt: 'Say hello' }),
    route: JSON.stringify(ROUTE),
    queue: 'fast',
    createdAt: 1_000,
  }
}

let claims = 0

type ClaimOptions = Parameters<RecordStore['claim']>[1]

export function claimOptions(overrides: Partial<ClaimOptions> = {}): ClaimOptions {
  claims += 1
  const name = `worker/${claims}`
  return { queue: 'fast', name, now: 2_000, maxDeliveries: MAX_DELIVERIES, poison: POISON, ...overrides }
}

/** A write that follows the record as it was claimed. */
export function writeOf(
  { id, fence, seq }: Pick<TaskRecord, 'id' | 'fence' | 'seq'>,
  write: Partial<Write> = {},
): Write {
  return { id, fence, seq, now: 3_000, events: [], fields: {}, ...write }
}

export const started: NewEvent = { type: 'attempt-started', at: 2_000, attempt: 1 }
export const finished: NewEvent = { type: 'task-finished', at: 3_000, attempt: 1, state: 'succeeded' }

export function textDelta(text: string, offset = 0): NewEvent {
  return { type: 'text-delta', at: 2_500, attempt: 1, messageID: 'msg_1', partID: 'prt_1', offset, text }
}
