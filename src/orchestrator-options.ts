/** What the parts are put together from. */
import type { RoutingTable } from './routing/table.ts'
import type { RunVerifier } from './runner/judge.ts'
import type { RetryPolicy } from './runner/retry-policy.ts'
import type { SessionBackend } from './sessions/backend.ts'
import type { Permissions } from './tasks/permissions.ts'

/** The routing table and the limits in force, which may change while the process runs. */
export interface ConfigSource {
  table(): RoutingTable
  limits(): Limits
  /** `error`: why the file as it is now is not in force. */
  status(): { generation: number; error: string | null }
  /** Calls the listener after each change of the table; gives the function that stops it. */
  onChange(listener: () => void): () => void
}

export interface Limits {
  maxWaitingTasks: number
  maxPromptBytes: number
  /** Wall clock of a task that names none. */
  timeoutMs: number
  /** The others are those of `TaskLimits`, where the route of a task says nothing. */
  queueTimeoutMs: number
  maxSteps: number
  silenceMs: number
  retryWaitMs: number
  askTimeoutMs: number
  /** What agents may do, before what their route and their task say. */
  permissions: Permissions
  logAgeMs: number
  taskAgeMs: number
  maxFinishedTasks: number
  maxLogEvents: number
  /** How many days the costs of a day are kept after it. */
  ledgerDays: number
  /** How long an idempotency key is remembered. */
  idempotencyAgeMs: number
}

export interface OrchestratorOptions {
  redisUrl: string
  namespace: string | undefined
  /** At least one; new sessions go round them. */
  backends: readonly SessionBackend[]
  config: ConfigSource
  checkDirectory(directory: string, field: string): Promise<string>
  /** `null`: any directory may be used, also those of the OpenCode servers where none is named. */
  checkOwnDirectory(): ((directory: string, server: string) => Promise<string>) | null
  checkFile(url: string, field: string): Promise<string>
  checkRepository(directory: string): Promise<void>
  /** Commands that judge compared tasks. Default: none. */
  verifiers?: { names(): readonly string[]; run: RunVerifier }
  retry?: RetryPolicy
  /** Slots of a queue without a limit, in one process. Default 10. */
  workerConcurrency?: number
  /** API keys take turns in the queues. Default false: costs a little, and is for where there are several. */
  takesTurns?: boolean
  /** Logs what the catalog tells of the table. Default true. */
  warns?: boolean
  /** For tests: how long the minute of the limits is. */
  minuteMs?: number
  log: { info(data: object, message: string): void; warn(data: object, message: string): void }
}

export interface WorkerOptions {
  /** Tiers to serve, beside `nested`; all when left out. */
  tiers?: readonly string[]
  /** At most this many tasks of each tier in this process. */
  concurrency?: number
}
