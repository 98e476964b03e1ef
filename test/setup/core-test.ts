/** `test` with the whole core in this process: real Redis and BullMQ, and a session backend in memory. */
import {
  type ConfigSource,
  createOrchestrator,
  type Orchestrator,
  type OrchestratorOptions,
} from '../../src/orchestrator.ts'
import { createRecordStore, type RecordStore } from '../../src/records/record-store.ts'
import type { RedisClient } from '../../src/redis/connect.ts'
import { defineScripts } from '../../src/redis/scripts.ts'
import { createRoutingTable, type RouteRule, type RoutingTableParts } from '../../src/routing/table.ts'
import { readLog } from '../../src/stream/read-log.ts'
import type { StreamItem, TaskEvent } from '../../src/tasks/event.ts'
import type { TaskInput } from '../../src/tasks/input.ts'
import type { Task } from '../../src/tasks/task.ts'
import { createMemoryBackend, type MemoryBackend } from '../doubles/memory-backend.ts'
import { test as base } from './redis-test.ts'

export interface CoreFixture {
  backend: MemoryBackend
  config: TestConfig
  /** An orchestrator on the backend and the table, which the fixture closes. */
  start(options?: Partial<OrchestratorOptions>): Promise<Orchestrator>
  /** One that also runs tasks. */
  startWorking(options?: Partial<OrchestratorOptions>): Promise<Orchestrator>
  /** The records as they are, for what no port shows. */
  records: RecordStore
  redis: RedisClient
  log(id: string): Promise<TaskEvent[]>
}

/** What the orchestrators logged as warnings; a test that expects none can look. */
export const test = base.extend<{ core: CoreFixture }>({
  core: async ({ redis: { url, namespace, keys, connect } }, use) => {
    const backend = createMemoryBackend()
    const config = createTestConfig()
    const redis = await connect('fail')
    const records = createRecordStore({ ...LIMITS, redis, scripts: defineScripts(redis), keys })
    const started: Orchestrator[] = []
    const start: CoreFixture['start'] = async (options = {}) => {
      const orchestrator = await createOrchestrator({
        redisUrl: url,
        namespace,
        backends: [backend],
        config,
        checkDirectory: async (directory) => directory,
        checkFile: async (url) => url,
        retry: { maxTries: 3, backoffMs: 10, maxBackoffMs: 100 },
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
      redis,
      log: (id) => readLog(redis, keys, id),
    })

    for (const orchestrator of started.reverse()) await orchestrator.close()
  },
})

export interface TestConfig extends ConfigSource {
  /** A new table is in force, as after a reload. */
  swap(parts: Partial<RoutingTableParts>): void
}

const LIMITS = {
  maxWaitingTasks: 10_000,
  maxPromptBytes: 1024 * 1024,
  timeoutMs: 60_000,
  logAgeMs: 3_600_000,
  taskAgeMs: 3_600_000,
  maxFinishedTasks: 10_000,
  maxLogEvents: 10_000,
}

const toTier = (tier: string): RouteRule => ({ tier, model: null, timeoutMs: null, maxCostMicroUsd: null })

const TABLE: RoutingTableParts = {
  generation: 1,
  source: { kind: 'file', path: '/etc/tierline.yaml' },
  tiers: [
    { name: 'fast', models: ['acme/nano', 'acme/mini'], concurrency: null },
    { name: 'powerful', models: ['acme/big'], concurrency: 2 },
  ],
  routes: new Map([
    ['lint', toTier('fast')],
    ['analysis', toTier('powerful')],
  ]),
  default: 'fast',
  prices: new Map(),
  warnings: [],
}

/** `fast` without a limit and `powerful` with two at a time. */
export function createTestConfig(limits: Partial<typeof LIMITS> = {}): TestConfig {
  let parts = TABLE
  let table = createRoutingTable(parts)
  const listeners = new Set<() => void>()
  return {
    table: () => table,
    limits: () => ({ ...LIMITS, ...limits }),
    status: () => ({ generation: table.generation, error: null }),
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    swap(next) {
      parts = { ...parts, generation: parts.generation + 1, ...next }
      table = createRoutingTable(parts)
      for (const listener of listeners) listener()
    },
  }
}

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
