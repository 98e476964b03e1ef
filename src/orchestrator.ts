/** Composition root: puts the parts together and holds no logic. What others need of it are narrow ports. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { type BudgetStore, createBudgetStore } from './budget/budget-store.ts'
import { createHoldKeeper } from './budget/hold-keeper.ts'
import { createCatalogCache } from './catalog/catalog-cache.ts'
import { abortIfNobodys, abortRevived } from './dispatch/abort-revived.ts'
import { budgetGate } from './dispatch/budget-gate.ts'
import { closeConnections } from './dispatch/close-connections.ts'
import { createCompareDeps } from './dispatch/compare-deps.ts'
import { cooldownGate } from './dispatch/cooldown-gate.ts'
import { createDeliveryHandler } from './dispatch/handle-delivery.ts'
import { createLimitDesk, type LimitDesk } from './dispatch/limit-desk.ts'
import { startMaintenance } from './dispatch/maintenance.ts'
import { createRunBudget } from './dispatch/run-budget.ts'
import { createRunnerDeps } from './dispatch/runner-deps.ts'
import { trackRunningTasks } from './dispatch/running-tasks.ts'
import { seldom } from './dispatch/seldom.ts'
import { createStraySweeper } from './dispatch/sweep-strays.ts'
import { sweepWorktrees } from './dispatch/sweep-worktrees.ts'
import { wakeForBudgets } from './dispatch/wake-for-budgets.ts'
import { createWorkerHost } from './dispatch/worker-host.ts'
import { readLedger } from './ledger/read-ledger.ts'
import { followCooldowns, readCooldowns } from './limits/cooldowns.ts'
import { createLimiter } from './limits/limiter.ts'
import { createAdmit } from './operations/admit.ts'
import { createAskOperations } from './operations/asks.ts'
import { budgetLine } from './operations/budget-line.ts'
import { createBudgetOperations } from './operations/budget-operations.ts'
import { readCosts } from './operations/costs.ts'
import { createDeliverNew } from './operations/deliver-new.ts'
import { findSession } from './operations/find-session.ts'
import { createHealth } from './operations/health.ts'
import { listTasks } from './operations/list-tasks.ts'
import { createRoutingOperations } from './operations/routing-operations.ts'
import { createAcceptMessage } from './operations/sessions/accept-message.ts'
import { createSessionNotices } from './operations/sessions/session-notices.ts'
import { createSessionOperations } from './operations/sessions/session-operations.ts'
import { createSubmit } from './operations/submit.ts'
import { createSubmitCompare } from './operations/submit-compare.ts'
import { createAcceptOnce, createSubmitOnce } from './operations/submit-once.ts'
import { createTakeTurn } from './operations/take-turn.ts'
import { createTaskGates, type TaskGates } from './operations/task-gates.ts'
import { createTaskHandle } from './operations/task-handle.ts'
import { createTaskOperations } from './operations/task-operations.ts'
import { whenFinished } from './operations/when-finished.ts'
import { createWithinBudget } from './operations/within-budget.ts'
import type { OrchestratorOptions, WorkerOptions } from './orchestrator-options.ts'
import { createFairTurns } from './queues/fair-turns.ts'
import { formerQueues } from './queues/known-queues.ts'
import { createQueueBoard } from './queues/queue-board.ts'
import { rebaseTurns } from './queues/rebase-turns.ts'
import { createTaskQueues, EXTRA_QUEUES, type TaskQueues } from './queues/task-queues.ts'
import { createAskStore } from './records/ask-store.ts'
import { createOnceStore } from './records/once-store.ts'
import { createRecordStore } from './records/record-store.ts'
import { type TaskRecord, viewTask } from './records/task-record.ts'
import { createTombstoneStore } from './records/tombstone-store.ts'
import { createWorktreeStore } from './records/worktree-store.ts'
import { checkRedis } from './redis/check-redis.ts'
import { closeConnection } from './redis/close-connection.ts'
import { connectAll } from './redis/connect-all.ts'
import { createKeys } from './redis/keys.ts'
import { defineScripts } from './redis/scripts.ts'
import { withRedisErrors } from './redis/with-redis-errors.ts'
import { DIRECT_QUEUE } from './routing/queue-of.ts'
import { peekModel } from './routing/resolve.ts'
import { NO_FACTS } from './routing/task-facts.ts'
import { DEFAULT_RETRY_POLICY } from './runner/retry-policy.ts'
import { runCompare } from './runner/run-compare.ts'
import { runTask } from './runner/run-task.ts'
import { firstAnswer } from './sessions/first-answer.ts'
import { createEventReader, type ReadOptions } from './stream/event-reader.ts'
import { createLiveHub } from './stream/live-hub.ts'
import { readLog } from './stream/read-log.ts'
import type { TaskHandle } from './tasks/handle.ts'
import type { ListQuery } from './tasks/list-query.ts'

export type { ConfigSource, Limits, OrchestratorOptions, WorkerOptions } from './orchestrator-options.ts'

/** How late a lost pub/sub message is noticed at most. */
const LOOK_AGAIN_MS = 10_000
const DEFAULT_WORKER_CONCURRENCY = 10
const MAINTENANCE_MS = 10_000
const MISSING_MS = 30_000
const REDIS_INFO_SECTIONS = ['server', 'clients', 'memory', 'stats'] as const

const NO_VERIFIERS = {
  names: () => [],
  run: async () => ({ passed: false, detail: 'there are no verifiers' }),
}

export type Orchestrator = Awaited<ReturnType<typeof createOrchestrator>>

/** Connects twice to Redis: one connection that fails fast, one that subscribes. A worker adds two that wait. */
export async function createOrchestrator(options: OrchestratorOptions) {
  const { redisUrl, backends, config, log } = options
  const keys = createKeys(options.namespace)
  const name = `${hostname().replace(/[^\w.-]/g, '_')}-${process.pid}-${randomUUID().slice(0, 8)}`
  const onError = seldom((error: Error) =>
    log.warn({ error: error.message }, 'Redis connection failed, it is tried again'),
  )
  const to = (role: string, whenAway: 'fail' | 'wait') => ({
    name: `tierline:${role}`,
    whenAway,
    onError,
    root: keys.root,
  })
  const [redis, subscriber] = await connectAll(redisUrl, [to('producer', 'fail'), to('subscriber', 'wait')])
  try {
    await checkRedis(redis)
  } catch (error) {
    ;[redis, subscriber].forEach(closeConnection)
    throw error
  }
  const limits = config.limits()
  const now = Date.now
  const { table } = config
  /** Records, the gates of their tasks, and their budgets, on one connection. */
  const recordsOn = (
    connection: typeof redis,
    queues: TaskQueues,
    moreGates: (
      record: TaskRecord,
      desk: LimitDesk,
      budgets: BudgetStore,
    ) => ReturnType<LimitDesk['gateOf']>[] = (record, desk, budgets) => [
      desk.gateOf(record),
      budgetLine(record, { store: budgets, table }),
    ],
  ) => {
    const parts = { redis: connection, scripts: defineScripts(connection), keys }
    const records = createRecordStore({ ...limits, ...parts })
    const desk = createLimitDesk({
      limiter: createLimiter({ ...parts, ...(options.minuteMs && { minuteMs: options.minuteMs }) }),
      table,
      wake: (ids) => gates.wake(ids),
      liveTasks: records.liveQueues,
      now,
    })
    const budgets = createBudgetStore(parts)
    const gates: TaskGates = createTaskGates({
      ...{ ...parts, records, queues },
      moreGates: (record) => moreGates(record, desk, budgets).filter((gate) => gate !== undefined),
    })
    return { records, gates, desk, budgets, parts }
  }
  const queues = createTaskQueues({ redis, keys })
  const askStoreOn = (connection: typeof redis) =>
    createAskStore({ redis: connection, scripts: defineScripts(connection), keys })
  const { records, gates, budgets } = recordsOn(redis, queues)
  const hub = createLiveHub(subscriber, LOOK_AGAIN_MS)
  const catalog = createCatalogCache((directory) =>
    firstAnswer(backends, (backend) => backend.catalog(directory)),
  )
  // Asked before anybody waits for it: the first answer of a fresh server takes seconds.
  catalog.get().catch(() => {})
  const closers: (() => Promise<void>)[] = []
  // Ends what reads and waits here when the orchestrator is closed.
  const closed = new AbortController()

  const { admit, parse, admitParsed, admitToSession, routeFor, readmit } = createAdmit({
    table,
    catalog,
    maxPromptBytes: () => config.limits().maxPromptBytes,
    checkDirectory: options.checkDirectory,
    findSession: (sessionID) => findSession(backends, sessionID),
    checkFile: options.checkFile,
    checkRepository: options.checkRepository,
    readRecord: records.read,
    withinBudget: createWithinBudget({ store: budgets, table, catalog: catalog.peek }),
    permissions: () => config.limits().permissions,
  })
  const { maxWaitingTasks } = limits
  const deliverNew = createDeliverNew({ records, queues, gates })
  const turnsOn = (connection: typeof redis) =>
    options.takesTurns ? createFairTurns({ redis: connection, keys }) : undefined
  const takeTurn = createTakeTurn(turnsOn(redis))
  const storing = { records, deliverNew, takeTurn, maxWaitingTasks, now }
  const once = {
    ...storing,
    once: createOnceStore({ redis, scripts: defineScripts(redis), keys, maxWaitingTasks }),
    ageMs: () => config.limits().idempotencyAgeMs,
  }
  const submitOnce = createSubmitOnce({ ...once, parse, admitParsed })
  const submitting = createSubmit({ ...storing, admit, submitOnce })
  const notices = createSessionNotices({ redis, keys, hub })
  const operations = createTaskOperations({
    records,
    queues,
    takeTurn,
    readmit,
    abortSession: async ({ server, sessionID, directory }) =>
      backends
        .find((backend) => backend.server === server)
        ?.abort({ sessionID: sessionID!, directory: directory ?? undefined }),
    async leaveGates(record) {
      await gates.leave(gates.gatesOf(record), record.id, true)
      const { sessionID } = record.input
      if (sessionID !== undefined) notices.tell({ type: 'withdrawn', sessionID, directory: record.directory })
    },
    now,
  })
  const revived = {
    backends,
    onRevived: (id: string) =>
      log.warn({ task: id }, 'a turn that was aborted ran again and is aborted again'),
  }
  const verifiers = options.verifiers ?? NO_VERIFIERS
  const readEvents = createEventReader({ redis, keys, hub })
  const { record } = operations
  const askOperations = createAskOperations({ asks: askStoreOn(redis), record })

  const waitFor = (id: string, waitMs: number, signal: AbortSignal) =>
    whenFinished({ hub, keys, record }, id, waitMs, AbortSignal.any([signal, closed.signal]))

  const tasks = withRedisErrors({
    submit: submitting.submit,
    accept: submitting.accept,
    submitMany: submitting.submitMany,
    ...createSubmitCompare({
      admitParsed,
      submitAdmitted: submitting.submitAdmitted,
      acceptOnce: createAcceptOnce(once),
      maxPromptBytes: () => config.limits().maxPromptBytes,
      verifiers: verifiers.names,
    }),
    get: operations.get,
    children: operations.children,
    list: (query: ListQuery) => listTasks(records, query, now()),
    async whenFinished(id: string, waitMs: number, signal: AbortSignal) {
      return viewTask(await waitFor(id, waitMs, signal), now())
    },
    events: (id: string, { after, signal }: ReadOptions) =>
      readEvents(id, { after, signal: AbortSignal.any([signal, closed.signal]) }),
    cancel: operations.cancel,
    retry: operations.retry,
    asks: askOperations.list,
    answer: askOperations.answer,
    remove: operations.remove,
    promote: operations.promote,
  })
  const sessions = withRedisErrors(
    createSessionOperations({
      backends,
      records,
      gates,
      routeFor,
      peekModel: (asked, directory) =>
        peekModel(asked, config.table(), catalog.peek(), { ...NO_FACTS, directory: directory ?? null }),
      checkDirectory: options.checkDirectory,
      checkFile: options.checkFile,
      notices,
      acceptMessage: createAcceptMessage({
        ...storing,
        once,
        gates,
        admitToSession,
        maxPromptBytes: () => config.limits().maxPromptBytes,
      }),
      whenFinished: waitFor,
      cancel: operations.cancel,
    }),
  )
  const routing = withRedisErrors(
    createRoutingOperations({
      config,
      catalog,
      queues,
      admit,
      cooling: () => readCooldowns(redis, keys, now()),
      former: (tiers) => formerQueues({ redis, keys, queues }, tiers),
    }),
  )
  const money = withRedisErrors({
    ...createBudgetOperations({ store: budgets, table }),
    costs: (query: unknown) =>
      readCosts(query, {
        read: (days) => readLedger(redis, keys, days),
        ledgerDays: () => config.limits().ledgerDays,
        now,
      }),
  })
  const health = createHealth({ redis, keys, backends, config })
  const boardDeps = {
    queues,
    records,
    readLog: (id: string) => readLog(redis, keys, id),
    redisInfo: async () =>
      (await Promise.all(REDIS_INFO_SECTIONS.map((section) => redis.info(section)))).join('\n'),
    now,
  }
  const board = {
    queues: () =>
      [...config.table().tiers.map((tier) => tier.name), ...EXTRA_QUEUES].map((queue) =>
        withRedisErrors(createQueueBoard(queue, boardDeps)),
      ),
  }

  /** Serves queues in this process until it is closed. */
  async function startWorker({
    tiers,
    concurrency,
  }: WorkerOptions = {}): Promise<{ close(graceMs?: number): Promise<void> }> {
    const connections = await connectAll(redisUrl, [to('worker', 'wait'), to('records', 'wait')])
    const [deliveries, recording] = connections
    const workerQueues = createTaskQueues({ redis: deliveries, keys })
    const worker = recordsOn(recording, workerQueues, (record, desk) => [
      // A comparison sends nothing itself.
      record.compare === null ? cooldownGate(record, { cooldowns, ...deps }) : undefined,
      desk.gateOf(record, { cooldowns, modelsOf: deps.modelsOf }),
      record.compare === null ? budgetGate({ ...funds, ...deps }) : undefined,
    ])
    const keeper = createHoldKeeper(worker.budgets)
    const funds = { store: worker.budgets, keeper, config, catalog, wake: worker.gates.wake }
    const { records: workerRecords, gates: workerGates, desk } = worker
    const retry = options.retry ?? DEFAULT_RETRY_POLICY
    const cooldowns = await followCooldowns({ ...worker.parts, hub, policy: retry, now })
    // A worker need not know whether there are several keys: jobs that have a turn say so.
    const turns = createFairTurns({ redis: recording, keys })
    const running = await trackRunningTasks(hub, keys, workerRecords.having)
    const stop = new AbortController()
    const deps = createRunnerDeps({
      records: workerRecords,
      asks: askStoreOn(recording),
      bury: createTombstoneStore({ redis: recording, keys }).bury,
      worktrees: createWorktreeStore({ redis: recording, keys }),
      backends,
      config,
      catalog,
      readLog: (id) => readLog(recording, keys, id),
      retry,
      cooldowns,
      turns: desk,
      budgetOf: (record, { maxCostMicroUsd }) => createRunBudget(record, maxCostMicroUsd, funds),
      wake: workerGates.wake,
      now,
    })
    const compareDeps = createCompareDeps({
      runner: deps,
      admitParsed,
      submitChild: submitting.submitChild,
      cancel: operations.cancel,
      waiting: { hub, keys, record },
      runVerifier: verifiers.run,
    })
    const host = createWorkerHost({
      redis: deliveries,
      keys,
      queues: workerQueues,
      running,
      tiers,
      concurrency,
      defaultConcurrency: options.workerConcurrency ?? DEFAULT_WORKER_CONCURRENCY,
      keepFinished: limits.maxFinishedTasks,
      name,
      handle: createDeliveryHandler({
        records: workerRecords,
        queues: workerQueues,
        running,
        gates: workerGates,
        run: (claimed, signals) =>
          claimed.compare === null
            ? runTask(claimed, deps, signals)
            : runCompare(claimed, compareDeps, signals),
        onStale: (claimed) => abortIfNobodys(claimed, workerRecords, revived),
        worker: name,
        stop: stop.signal,
        now,
      }),
      onTurn: (queue, turn) => void turns.served(queue, turn).catch(onError),
      stopRuns: () => stop.abort(),
      onError: seldom((error) => log.warn({ error: error.message }, 'a queue worker reported an error')),
    })
    const apply = async () => {
      // First, so that nothing starts without its limits.
      await desk.apply()
      await host.apply(config.table())
    }
    await apply()
    const stopListening = config.onChange(() => void apply().catch(onError))
    const close = async (graceMs = 0) => {
      stopListening()
      await closeConnections(host.close(graceMs), connections, graceMs)
      running.close()
      cooldowns.close()
      keeper.close()
    }
    closers.unshift(() => close())
    return { close }
  }

  /** Retention and the sweeper, in this process or in whichever is elected. */
  async function startMaintaining(): Promise<{ close(): Promise<void> }> {
    const [patient] = await connectAll(redisUrl, [to('maintenance', 'wait')])
    const patientQueues = createTaskQueues({ redis: patient, keys })
    const {
      records: patientRecords,
      gates: patientGates,
      budgets: patientBudgets,
    } = recordsOn(patient, patientQueues)
    const patientTurns = createFairTurns({ redis: patient, keys })
    const maintenance = startMaintenance({
      redis: patient,
      keys,
      records: patientRecords,
      queues: patientQueues,
      queueTimeoutMs: () => config.limits().queueTimeoutMs,
      takeTurn: createTakeTurn(turnsOn(patient)),
      async rebaseTurns() {
        for (const queue of [...config.table().tiers.map(({ name }) => name), DIRECT_QUEUE])
          await rebaseTurns(queue, { turns: patientTurns, queues: patientQueues })
      },
      leaveGates: (record) => patientGates.leave(patientGates.gatesOf(record), record.id, true),
      name,
      everyMs: MAINTENANCE_MS,
      missingMs: MISSING_MS,
      retention: config.limits,
      now,
      abortRevived: () =>
        abortRevived(createTombstoneStore({ redis: patient, keys }), patientRecords, revived, now()),
      wakeForBudgets: () => wakeForBudgets(patientBudgets, config.table(), patientGates.wake),
      sweepWorktrees: () =>
        sweepWorktrees(createWorktreeStore({ redis: patient, keys }), patientRecords, backends),
      sweepStrays: createStraySweeper({
        backends,
        records: patientRecords,
        now,
        onSwept: ({ sessionID, taskID }, server) =>
          log.warn(
            { task: taskID, session: sessionID, server },
            'an empty session that no task uses was removed',
          ),
      }),
      onSwept: (id) => log.warn({ task: id }, 'a live task had no job for a while and was delivered again'),
      onError,
    })
    const close = () => closeConnections(maintenance.close(), [patient])
    closers.unshift(close)
    return { close }
  }

  return {
    tasks,
    sessions,
    routing,
    money,
    health,
    board,
    handle: (id: string): TaskHandle => createTaskHandle(tasks, id),
    startWorker,
    startMaintaining,
    /** Closes what was started here. Tasks under way are handed over; who reads or waits is let go. */
    async close(): Promise<void> {
      closed.abort()
      await Promise.all(closers.splice(0).map((close) => close()))
      await queues.close()
      await hub.close()
      await Promise.all(backends.map((backend) => backend.close()))
      closeConnection(redis)
    },
  }
}
