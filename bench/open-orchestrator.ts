import { createOrchestrator, type Orchestrator } from '../src/orchestrator.ts'
import { type Budget, type Caps, createRoutingTable, type RoutingTable } from '../src/routing/table.ts'
import type { SessionBackend } from '../src/sessions/backend.ts'
import type { Place } from './scenario.ts'

export interface CoreOptions {
  namespace: string
  backend: SessionBackend
  concurrency: number
  /** Of `acme/nano`, which is the only model. */
  caps?: Partial<Caps>
  budgets?: readonly Budget[]
  takesTurns?: boolean
}

const FAR_MS = 24 * 60 * 60_000
const MANY = 1_000_000

/** The core alone, with one tier of one model, which a benchmark limits as it likes. */
export function openOrchestrator({ redisUrl }: Place, options: CoreOptions): Promise<Orchestrator> {
  const { namespace, backend, concurrency, takesTurns = false } = options
  const table = tableOf(options)
  const limits = {
    ...{ maxWaitingTasks: MANY, maxPromptBytes: MANY, maxSteps: MANY, maxFinishedTasks: MANY },
    ...{ timeoutMs: FAR_MS, queueTimeoutMs: FAR_MS, silenceMs: FAR_MS, retryWaitMs: FAR_MS },
    ...{ askTimeoutMs: FAR_MS, permissions: {}, logAgeMs: FAR_MS, taskAgeMs: FAR_MS },
    ...{ maxLogEvents: MANY, idempotencyAgeMs: FAR_MS, ledgerDays: 90 },
  }
  return createOrchestrator({
    ...{ redisUrl, namespace, backends: [backend], takesTurns, workerConcurrency: concurrency },
    config: {
      table: () => table,
      limits: () => limits,
      status: () => ({ generation: 1, error: null }),
      onChange: () => () => {},
    },
    checkDirectory: async (directory) => directory,
    checkOwnDirectory: () => null,
    checkFile: async (url) => url,
    checkRepository: async () => {},
    log: { info() {}, warn() {} },
  })
}

function tableOf({ concurrency, caps, budgets = [] }: CoreOptions): RoutingTable {
  const none = { concurrency: null, requestsPerMinute: null, tokensPerMinute: null }
  return createRoutingTable({
    generation: 1,
    source: { kind: 'file', path: null },
    tiers: [{ name: 'fast', models: ['acme/nano'], concurrency }],
    rules: [],
    routes: new Map([['lint', { tier: 'fast', model: null, timeoutMs: null, maxCostMicroUsd: null }]]),
    default: 'fast',
    prices: new Map(),
    budgets,
    ...(caps && { caps: new Map([['model:acme/nano', { ...none, ...caps }]]) }),
    warnings: [],
  })
}
