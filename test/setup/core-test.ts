/** `test` with the whole core in this process: real Redis and BullMQ, and a session backend in memory. */
import { createOrchestrator, type Orchestrator, type OrchestratorOptions } from '../../src/orchestrator.ts'
import { type CreateTask, createTaskCreator } from '../../src/queues/create-tasks.ts'
import { createTaskQueues } from '../../src/queues/task-queues.ts'
import { createRecordStore, type RecordStore } from '../../src/records/record-store.ts'
import type { RedisClient } from '../../src/redis/connect.ts'
import { createQuotas } from '../../src/redis/quotas.ts'
import { scriptsOn } from '../../src/redis/scripts.ts'
import { readLog } from '../../src/stream/read-log.ts'
import type { StreamItem, TaskEvent } from '../../src/tasks/event.ts'
import type { TaskInput } from '../../src/tasks/input.ts'
import type { Task } from '../../src/tasks/task.ts'
import { createMemoryBackend, type MemoryBackend } from '../doubles/memory-backend.ts'
import { createMemoryConfig, MEMORY_LIMITS, type MemoryConfig } from '../doubles/memory-config.ts'
import { test as base } from './redis-test.ts'

export interface CoreFixture {
  backend: MemoryBackend
  config: MemoryConfig
  /** An orchestrator on the backend and the table, which the fixture closes. */
  start(options?: Partial<OrchestratorOptions>): Promise<Orchestrator>
  /** One that also runs tasks. */
  startWorking(options?: Partial<OrchestratorOptions>): Promise<Orchestrator>
  /** The records as they are, for what no port shows. */
  records: RecordStore
  /** As a submit does, for what no submit would. */
  create: CreateTask
  redis: RedisClient
  log(id: string): Promise<TaskEvent[]>
}

export const test = base.extend<{ core: CoreFixture }>({
  core: async ({ redis: { url, namespace, keys, connect } }, use) => {
    const backend = createMemoryBackend()
    const config = createMemoryConfig()
    const redis = await connect('fail')
    const scripts = scriptsOn(redis)
    const quotas = createQuotas({ scripts, keys, wake: async () => {} })
    const records = createRecordStore({
      ...MEMORY_LIMITS,
      ledgerDays: () => 400,
      redis,
      scripts,
      keys,
      quotas,
    })
    const queues = createTaskQueues({ redis, keys })
    const { maxWaitingTasks } = MEMORY_LIMITS
    const started: Orchestrator[] = []
    const start: CoreFixture['start'] = async (options = {}) => {
      const orchestrator = await createOrchestrator({
        redisUrl: url,
        namespace,
        backends: [backend],
        config,
        checkDirectory: async (directory) => directory,
        checkOwnDirectory: () => null,
        checkFile: async (url) => url,
        checkRepository: async () => {},
        retry: {
          maxTries: 3,
          backoffMs: 10,
          maxBackoffMs: 100,
          maxRetryAfterMs: 60_000,
          cooldownMs: 0,
          maxCooldownMs: 0,
        },
        log: { info() {}, warn() {} },
        ...options,
      })
      started.push(orchestrator)
      return orchestrator
    }

    await use({
      backend,
      config,
      start,
      async startWorking(options) {
        const orchestrator = await start(options)
        await orchestrator.startWorker()
        return orchestrator
      },
      records,
      create: createTaskCreator({ redis, keys, queues, maxWaitingTasks }),
      redis,
      log: (id) => readLog(redis, keys, id),
    })

    for (const orchestrator of started.reverse()) await orchestrator.close()
    await queues.close()
  },
})

const never = new AbortController().signal

/** The task once it is over. */
export async function finished({ tasks }: Orchestrator, id: string): Promise<Task> {
  return tasks.whenFinished(id, Number.POSITIVE_INFINITY, never)
}

/** Submits a task and gives it once it is over. */
export async function run(orchestrator: Orchestrator, input: TaskInput): Promise<Task> {
  return finished(orchestrator, (await orchestrator.tasks.submit(input)).id)
}

/** All items of a task up to its end. */
export async function itemsOf({ tasks }: Orchestrator, id: string): Promise<StreamItem[]> {
  const items: StreamItem[] = []
  for await (const item of tasks.events(id, { after: 0, signal: never })) items.push(item)
  return items
}

/** What a reader who applies the events of a log holds in the end: the text of each part that was not withdrawn. */
export function textsOf(items: readonly StreamItem[]): string[] {
  const texts = new Map<string, string>()
  for (const item of items) {
    if (item.type === 'text-delta') {
      const held = texts.get(item.partID) ?? ''
      if (item.offset !== held.length)
        throw new Error(`Event ${item.seq} starts at ${item.offset}, not ${held.length}`)
      texts.set(item.partID, held + item.text)
    } else if (item.type === 'text-discarded') texts.delete(item.partID)
  }
  return [...texts.values()]
}

export function typesOf(items: readonly StreamItem[]): string[] {
  return items.map(({ type }) => type)
}
