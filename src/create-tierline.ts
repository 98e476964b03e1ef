import { readSettings, type Settings, secretsOf } from './config/settings.ts'
import type { TierlineError } from './errors.ts'
import type { WorkerOptions } from './orchestrator.ts'
import { connectRuntime } from './runtime/connect-runtime.ts'
import type { SessionBackend } from './sessions/backend.ts'
import type { Ask, AskAnswer } from './tasks/ask.ts'
import type { BudgetView } from './tasks/budget-view.ts'
import type { CompareInput } from './tasks/compare-input.ts'
import type { Costs, CostsQuery } from './tasks/costs.ts'
import type { EnqueueResult, TaskHandle } from './tasks/handle.ts'
import type { TaskInput } from './tasks/input.ts'
import type { ListQuery, TaskPage } from './tasks/list-query.ts'
import type { Task } from './tasks/task.ts'
import type { Explanation, ModelView, RoutesView } from './tasks/views.ts'
import { createLogger, type Logger } from './telemetry/logger.ts'

/** Whatever is left out comes from the environment, and from a running `tierline up` in the data directory. */
export interface TierlineOptions {
  /** `redis://:password@host:6379`. */
  redisUrl?: string
  /** `http://host:4096`, or several separated by commas, each as `name=url` if it is to have a name. */
  opencodeUrl?: string
  /** Path of the routing table. */
  config?: string
  /** Where a running `tierline up` is looked for. Default `.tierline`. */
  dataDir?: string
  /** Apart from others on the same Redis. */
  namespace?: string
  /** Instead of OpenCode servers. */
  backends?: readonly SessionBackend[]
  /** Default: warnings and errors as JSON lines on stderr. */
  logger?: Logger
}

export interface Tierline {
  /**
   * Checks, routes and queues a task; resolves when it is in Redis.
   *
   * @throws {TierlineError} that names what is wrong with the input and what would be right; `queue_full`,
   *   `redis_unavailable`, `opencode_unavailable` when it was never reached. Nothing is queued then.
   */
  enqueue(input: TaskInput): Promise<TaskHandle>
  /** One answer per input, in order; a refused one keeps no other out. */
  enqueueMany(inputs: readonly TaskInput[]): Promise<EnqueueResult[]>
  /**
   * The same task on several models or tiers at once. The handle is of a task that waits for them: its result
   * has the table, `children()` the tasks. @throws {TierlineError} as `enqueue`, and `unknown_verifier`.
   */
  compare(input: CompareInput): Promise<TaskHandle>
  /** A handle on a task that was queued before, by anybody. Asks nothing yet. */
  task(id: string): TaskHandle
  list(query?: Partial<ListQuery>): Promise<TaskPage>
  /** Idempotent. @throws {TierlineError} `task_not_found`. */
  cancel(id: string): Promise<Task>
  /** The same task once more, from its first message. @throws {TierlineError} `not_finished`. */
  retry(id: string): Promise<Task>
  /** Removes a finished task with its log. @throws {TierlineError} `not_finished`. */
  remove(id: string): Promise<void>
  /** What a task asks of people, oldest first. */
  asks(id: string): Promise<Ask[]>
  /** The first answer counts. @throws {TierlineError} `ask_not_found`, `ask_closed`, `invalid_input`. */
  answer(id: string, askID: string, answer: AskAnswer): Promise<Ask>
  /** What was spent, by UTC day: `{ groupBy: 'key', since: Date.UTC(2026, 10, 1) }`. Default by model, all that is kept. */
  costs(query?: Partial<CostsQuery>): Promise<Costs>
  models(): Promise<ModelView[]>
  /** The budgets in force, with what is spent and held of each. */
  budgets(): Promise<BudgetView[]>
  routes(): Promise<RoutesView>
  /**
   * Where a task would go now, and why, with every rule. Nothing is queued. `key`: name of the API key it would be
   * submitted with; what is submitted here has none.
   */
  explain(input: TaskInput, options?: { key?: string }): Promise<Explanation>
  /** Workers take nothing more of this tier; what runs goes on. */
  pauseTier(tier: string): Promise<void>
  resumeTier(tier: string): Promise<void>
  /** Runs tasks in this process until it is closed. */
  startWorker(options?: WorkerOptions): Promise<{ close(graceMs?: number): Promise<void> }>
  /** Tasks that run in this process are handed over; nothing is aborted. May be called twice. */
  close(): Promise<void>
}

/**
 * Connects to Redis and OpenCode.
 *
 * @example
 * const tierline = await createTierline({ redisUrl: 'redis://127.0.0.1:6379', opencodeUrl: 'http://127.0.0.1:4096' })
 * const task = await tierline.enqueue({ type: 'lint', prompt: 'Lint src/' })
 * for await (const text of task.text()) process.stdout.write(text)
 *
 * @throws {TierlineError} `invalid_config`, `service_not_found`, `redis_unavailable`, `redis_unsuitable`.
 */
export async function createTierline(options: TierlineOptions = {}): Promise<Tierline> {
  const { backends, logger: given, ...flags } = options
  const settings: Settings = readSettings(undefined, flags)
  const logger = given ?? createLogger({ level: 'warn', secrets: secretsOf(settings), format: 'json' })
  const runtime = await connectRuntime({ settings, logger, ...(backends && { backends }) })
  const { tasks, routing, money, handle, startWorker } = runtime.orchestrator
  let closed: Promise<void> | undefined

  return {
    enqueue: async (input) => handle((await tasks.submit(input)).id),
    async enqueueMany(inputs) {
      const settled = await Promise.allSettled(inputs.map((input) => tasks.submit(input)))
      return settled.map((one) =>
        one.status === 'fulfilled'
          ? { status: 'accepted', handle: handle(one.value.id) }
          : { status: 'refused', error: one.reason as TierlineError },
      )
    },
    compare: async (input) => handle((await tasks.compare(input)).id),
    task: handle,
    list: (query = {}) => tasks.list({ limit: 50, ...query }),
    cancel: tasks.cancel,
    retry: tasks.retry,
    remove: tasks.remove,
    asks: tasks.asks,
    answer: tasks.answer,
    costs: (query = {}) => money.costs(query),
    models: routing.models,
    budgets: money.budgets,
    routes: routing.routes,
    explain: (input, { key } = {}) => routing.explain(input, key),
    pauseTier: async (tier) => void (await routing.pauseTier(tier)),
    resumeTier: async (tier) => void (await routing.resumeTier(tier)),
    startWorker,
    close() {
      closed ??= runtime.close()
      return closed
    },
  }
}
