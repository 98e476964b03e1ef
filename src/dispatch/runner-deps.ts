import type { CatalogCache } from '../catalog/catalog-cache.ts'
import { TierlineError } from '../errors.ts'
import { findSession } from '../operations/find-session.ts'
import type { RecordStore } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import { costMicroUsd, effectivePrice } from '../routing/cost.ts'
import { resolveAtDispatch } from '../routing/dispatch.ts'
import type { RoutingTable } from '../routing/table.ts'
import type { RetryPolicy } from '../runner/retry-policy.ts'
import type { RunnerDeps, TaskLimits } from '../runner/run-task.ts'
import type { SessionBackend } from '../sessions/backend.ts'
import type { TaskEvent } from '../tasks/event.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { Usage } from '../tasks/usage.ts'

/** OpenCode's own default agent. */
const DEFAULT_AGENT = 'build'

export interface RunnerDepsOptions {
  records: RecordStore
  backends: readonly SessionBackend[]
  config: { table(): RoutingTable; limits(): TaskLimits }
  catalog: CatalogCache
  bury: RunnerDeps['bury']
  readLog(id: string): Promise<TaskEvent[]>
  retry: RetryPolicy
  now(): number
}

/** What the runner needs, made of the parts a worker process has. */
export function createRunnerDeps(options: RunnerDepsOptions): RunnerDeps {
  const { records, backends, config, catalog, readLog, retry, now } = options
  const byName = new Map(backends.map((backend) => [backend.server, backend]))
  let turn = 0

  function backend(server: string | undefined): SessionBackend {
    const found = server === undefined ? backends[turn++ % backends.length] : byName.get(server)
    if (found !== undefined) return found
    throw new TierlineError(
      'opencode_unavailable',
      `Cannot reach the OpenCode server "${server}", which has the session: this worker knows ${[...byName.keys()].join(', ')}`,
    )
  }

  async function modelFor(record: TaskRecord): Promise<{ model: ModelID; changed?: string }> {
    const table = config.table()
    const route = resolveAtDispatch(record.route, table, await catalog.get())
    if (route.model === record.model) return { model: route.model }
    return { model: route.model, changed: `the routing table is at generation ${table.generation} now` }
  }

  function price(model: ModelID, usage: Usage, reportedMicroUsd: number): number {
    const snapshot = catalog.peek()
    const known = snapshot && effectivePrice(model, snapshot, config.table().prices)
    return known ? costMicroUsd(known, usage) : reportedMicroUsd
  }

  function modelsOf({ route }: TaskRecord): readonly ModelID[] {
    const snapshot = catalog.peek()
    const { model, chain } = snapshot ? resolveAtDispatch(route, config.table(), snapshot) : route
    return [model, ...chain]
  }

  /** The task's own limit beats that of its route, and that the one of all tasks. */
  function limitsOf({ input, type }: TaskRecord): TaskLimits {
    const rule = type === null ? undefined : config.table().routes.get(type)
    const general = config.limits()
    return {
      timeoutMs: input.timeoutMs ?? rule?.timeoutMs ?? general.timeoutMs,
      maxSteps: rule?.maxSteps ?? general.maxSteps,
      silenceMs: rule?.silenceMs ?? general.silenceMs,
      retryWaitMs: rule?.retryWaitMs ?? general.retryWaitMs,
    }
  }

  return {
    write: records.write,
    bury: options.bury,
    readLog,
    backend,
    ownerOf: async (sessionID) => (await findSession(backends, sessionID)).backend,
    modelFor,
    price,
    defaultAgent: DEFAULT_AGENT,
    modelsOf,
    limitsOf,
    retry,
    now,
  }
}
