/** A routing table and limits in memory, which a test changes as a reload would. */
import type { ConfigSource, Limits } from '../../src/orchestrator.ts'
import { createRoutingTable, type RouteRule, type RoutingTableParts } from '../../src/routing/table.ts'

export interface MemoryConfig extends ConfigSource {
  /** A new table is in force, as after a reload. */
  swap(parts: Partial<RoutingTableParts>): void
}

export const MEMORY_LIMITS: Limits = {
  maxWaitingTasks: 10_000,
  maxPromptBytes: 1024 * 1024,
  timeoutMs: 60_000,
  queueTimeoutMs: 60_000,
  maxSteps: 50,
  silenceMs: 60_000,
  retryWaitMs: 60_000,
  askTimeoutMs: 30_000,
  permissions: {},
  logAgeMs: 3_600_000,
  taskAgeMs: 3_600_000,
  maxFinishedTasks: 10_000,
  maxLogEvents: 10_000,
  idempotencyAgeMs: 3_600_000,
  ledgerDays: 400,
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
export function createMemoryConfig(limits: Partial<Limits> = {}): MemoryConfig {
  let parts = TABLE
  let table = createRoutingTable(parts)
  const listeners = new Set<() => void>()
  return {
    table: () => table,
    limits: () => ({ ...MEMORY_LIMITS, ...limits }),
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
