import type { CatalogCache } from '../catalog/catalog-cache.ts'
import { TierlineError } from '../errors.ts'
import type { Cooldowns } from '../limits/cooldowns.ts'
import { findSession } from '../operations/find-session.ts'
import type { AskStore } from '../records/ask-store.ts'
import type { RecordStore } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import { resolveAtDispatch } from '../routing/dispatch.ts'
import { createAlarms } from '../runner/alarms.ts'
import type { RetryPolicy } from '../runner/retry-policy.ts'
import type { RunnerDeps } from '../runner/task-run.ts'
import type { SessionBackend } from '../sessions/backend.ts'
import type { TaskEvent } from '../tasks/event.ts'
import type { ModelID } from '../tasks/model-id.ts'
import { isTerminal } from '../tasks/state.ts'
import { type AskConfig, asksOf, policyOf } from './asks-of.ts'
import { chooseModel, modelsLeft } from './choose-model.ts'
import { type LimitsConfig, limitsOf } from './limits-of.ts'
import { recordFacts } from './record-facts.ts'

/** OpenCode's own default agent. */
const DEFAULT_AGENT = 'build'

export interface RunnerDepsOptions {
  records: RecordStore
  backends: readonly SessionBackend[]
  config: LimitsConfig & AskConfig
  catalog: CatalogCache
  asks: AskStore
  bury: RunnerDeps['bury']
  worktrees: RunnerDeps['worktrees']
  readLog(id: string): Promise<TaskEvent[]>
  retry: RetryPolicy
  cooldowns: Cooldowns
  turns: RunnerDeps['turns']
  price: RunnerDeps['price']
  budgetOf: RunnerDeps['budgetOf']
  /** Lets these tasks be delivered now. */
  wake(taskIDs: readonly string[]): Promise<void>
  now(): number
}

/** What the runner needs, made of the parts a worker process has. */
export function createRunnerDeps(options: RunnerDepsOptions): RunnerDeps {
  const { records, backends, config, catalog, readLog, retry, cooldowns, wake, now } = options
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
    const route = resolveAtDispatch(record.route, table, await catalog.get(), recordFacts(record))
    const models = [route.model, ...route.chain]
    const candidates = record.sessionID === null ? models : modelsLeft(record, models)
    const [wanted] = candidates
    const choice = cooldowns.isAny ? await chooseModel(record.id, candidates, cooldowns) : undefined
    if (choice?.status === 'chosen' && choice.model !== wanted)
      return { model: choice.model, changed: `${wanted} cools down` }
    const before = record.checkpoint?.model ?? record.model
    if (wanted === before) return { model: before }
    return { model: wanted!, changed: `the routing table is at generation ${table.generation} now` }
  }

  async function probe(model: ModelID, taskID: string): Promise<(() => void) | undefined> {
    if (!cooldowns.isAny) return undefined
    const answer = await cooldowns.ask(model, taskID)
    if (answer.status !== 'open' || !answer.isProbe) return undefined
    let isTold = false
    return () => {
      if (isTold) return
      isTold = true
      // Should that fail, the next probe tells.
      cooldowns
        .recovered(model, taskID)
        .then(wake)
        .catch(() => {})
    }
  }

  function modelsOf(record: TaskRecord): readonly ModelID[] {
    const { route } = record
    const snapshot = catalog.peek()
    const { model, chain } = snapshot
      ? resolveAtDispatch(route, config.table(), snapshot, recordFacts(record))
      : route
    return [model, ...chain]
  }

  return {
    budgetOf: options.budgetOf,
    rulesOf: (record) => policyOf(record, config),
    asksOf: (record) => asksOf(record, config, options.asks, now),
    async write(write, end) {
      const isLast = write.to !== undefined && isTerminal(write.to)
      const result = await (isLast && end !== undefined ? end(write) : records.write(write))
      // Those who waited for what it had. The write is done whatever becomes of that; the maintenance looks for them too.
      if (result.status === 'written' && result.next.length > 0) await wake(result.next).catch(() => {})
      return result
    },
    bury: options.bury,
    worktrees: options.worktrees,
    readLog,
    backend,
    ownerOf: async (sessionID) => (await findSession(backends, sessionID)).backend,
    modelFor,
    price: options.price,
    defaultAgent: DEFAULT_AGENT,
    modelsOf,
    limitsOf: (record) => limitsOf(record, config),
    isCooling: cooldowns.isCooling,
    cool: cooldowns.cool,
    probe,
    retry,
    turns: options.turns,
    alarms: createAlarms(),
    now,
  }
}
