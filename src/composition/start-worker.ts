import { abortIfNobodys } from '../dispatch/abort-revived.ts'
import { closeConnections } from '../dispatch/close-connections.ts'
import { createCompareDeps } from '../dispatch/compare-deps.ts'
import { cooldownGate } from '../dispatch/cooldown-gate.ts'
import { createDeliveryHandler, MAX_DELIVERIES, POISON } from '../dispatch/handle-delivery.ts'
import { quotaGate } from '../dispatch/quota-gate.ts'
import { createRunBudget } from '../dispatch/run-budget.ts'
import { createRunnerDeps } from '../dispatch/runner-deps.ts'
import { trackRunningTasks } from '../dispatch/running-tasks.ts'
import { seldom } from '../dispatch/seldom.ts'
import type { HeldFunds } from '../dispatch/task-funds.ts'
import { createWorkerHost } from '../dispatch/worker-host.ts'
import { followCooldowns } from '../limits/cooldowns.ts'
import type { WorkerOptions } from '../orchestrator-options.ts'
import { announcedQueue } from '../queues/known-queues.ts'
import { EXTRA_QUEUES } from '../queues/task-queues.ts'
import { closeConnection } from '../redis/close-connection.ts'
import { connectRedis, type RedisClient } from '../redis/connect.ts'
import { DEFAULT_RETRY_POLICY } from '../runner/retry-policy.ts'
import { runCompare } from '../runner/run-compare.ts'
import { runTask } from '../runner/run-task.ts'
import { readLog } from '../stream/read-log.ts'
import { nearestHint, nearestNames } from '../tasks/nearest.ts'
import type { Accepting } from './accepting.ts'
import type { Foundation } from './foundation.ts'
import { storesOn } from './stores-on.ts'

const DEFAULT_WORKER_CONCURRENCY = 10

interface StartedWorker {
  close(graceMs?: number): Promise<void>
}

/**
 * Serves queues in this process until it is closed, over one connection more that waits for Redis: what it writes
 * and what becomes of its jobs travel together.
 *
 * @throws {RangeError} for a concurrency that is no whole number of at least 1.
 */
export async function startWorker(
  foundation: Foundation,
  accepting: Accepting,
  worker: WorkerOptions,
): Promise<StartedWorker> {
  checkSlots(worker.concurrency)
  warnOfUnknownTiers(worker.tiers ?? [], foundation)
  const redis = await connectRedis(foundation.options.redisUrl, foundation.patient('worker'))
  try {
    return await serveQueues(foundation, accepting, worker, redis)
  } catch (error) {
    closeConnection(redis)
    throw error
  }
}

async function serveQueues(
  foundation: Foundation,
  { admitting, submitting, operations, price, endLeft, waiting, verifiers }: Accepting,
  { tiers, concurrency }: WorkerOptions,
  redis: RedisClient,
): Promise<StartedWorker> {
  const { options, backends, config, table, limits, log, keys, name, onError } = foundation
  const { hub, catalog, now, revived } = foundation
  const stores = storesOn(foundation, redis, (record) => [
    // A comparison sends nothing itself.
    record.compare === null ? cooldownGate(record, gateDeps) : undefined,
    quotaGate(record, gateDeps),
  ])
  const { records, queues, quotas, gates, desk, turns, asks, tombstones, worktrees } = stores
  const { wake } = gates
  const funds = { store: stores.budgets, held: new Map<string, HeldFunds>(), config, catalog }
  const retry = options.retry ?? DEFAULT_RETRY_POLICY
  const cooldowns = await followCooldowns({ ...stores.parts, hub, policy: retry, now })
  const running = await trackRunningTasks(hub, keys, records.having).catch((error) => {
    cooldowns.close()
    throw error
  })
  const deps = createRunnerDeps({
    ...{ records, asks, worktrees, backends, config, catalog, retry, cooldowns, price, wake, now },
    bury: tombstones.bury,
    readLog: (id) => readLog(redis, keys, id),
    turns: desk,
    budgetOf: (record, { maxCostMicroUsd }) => createRunBudget(record, maxCostMicroUsd, funds),
  })
  const gateDeps = { cooldowns, quotas, desk, ...funds, ...deps }
  const compareDeps = createCompareDeps({
    runner: deps,
    admitParsed: admitting.admitParsed,
    submitChild: (id, admitted) => submitting.submitAdmitted(admitted, id),
    cancel: operations.cancel,
    waiting,
    runVerifier: verifiers.run,
  })
  const host = createWorkerHost({
    ...{ redis, keys, queues, running, tiers, concurrency, name },
    writes: records.writes,
    defaultConcurrency: options.workerConcurrency ?? DEFAULT_WORKER_CONCURRENCY,
    keepFinished: limits.maxFinishedTasks,
    maxDeliveries: MAX_DELIVERIES,
    poison: POISON,
    handle: createDeliveryHandler({
      ...{ records, queues, running, gates, now },
      endLeftTurn: endLeft,
      run: (claimed, signals) =>
        claimed.compare === null
          ? runTask(claimed, deps, signals)
          : runCompare(claimed, compareDeps, signals),
      onStale: (claimed) => abortIfNobodys(claimed, records, revived),
    }),
    onTurn: (queue, turn) => void turns.served(queue, turn).catch(onError),
    stopRuns: running.stop,
    onError: seldom((error) => log.warn({ error: error.message }, 'a queue worker reported an error')),
  })
  const apply = async () => {
    // First, so that nothing starts without its limits.
    await desk.apply()
    await host.apply(table())
    // Whoever waits may be paid for by the new ones.
    if (table().budgets.length > 0) await stores.budgets.look(table().budgets)
  }
  let applied = apply()
  // One after the other, or an older table might have the last word.
  const applyAgain = () => {
    applied = applied
      .then(apply, apply)
      .catch((error) => log.warn({ error: error.message }, 'a new table could not be applied to the queues'))
  }
  const stopListening = config.onChange(applyAgain)
  let stopHearing = () => {}
  const close = async (graceMs = 0) => {
    stopListening()
    stopHearing()
    await closeConnections(host.close(graceMs), [redis], graceMs)
    running.close()
    cooldowns.close()
  }
  try {
    await applied
    stopHearing = await hub.listenPlain(keys.control, (message) => {
      const queue = announcedQueue(message)
      if (queue !== undefined && !host.knows(queue)) applyAgain()
    })
  } catch (error) {
    await close()
    throw error
  }
  return { close }
}

function checkSlots(concurrency: number | undefined): void {
  if (concurrency === undefined || (Number.isInteger(concurrency) && concurrency >= 1)) return
  throw new RangeError(
    `Cannot start a worker with the concurrency "${concurrency}": it must be a whole number of at least 1`,
  )
}

/** One that does not exist may come with the next version of the file. */
function warnOfUnknownTiers(tiers: readonly string[], { table, log }: Foundation): void {
  const names = [...table().tiers.map(({ name }) => name), ...EXTRA_QUEUES]
  for (const tier of tiers) {
    if (names.includes(tier)) continue
    const hint = nearestHint(nearestNames(tier, names))
    log.warn({}, `The worker serves the tier "${tier}", which does not exist now${hint}`)
  }
}
