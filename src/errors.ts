/**
 * Every error tierline raises on purpose: one code each, held equal to docs/errors.md by a test.
 *
 * Clients and dashboards match on `code`, never on the message.
 */

interface ErrorKind {
  readonly title: string
  /** HTTP status when the error answers a request; also used for batch items and `explain`. */
  readonly status: number
  /** True: the same request or task may succeed later without a change. */
  readonly retryable: boolean
}

export const ERRORS = {
  // Requests that are not well formed.
  malformed_request: { title: 'Malformed request', status: 400, retryable: false },
  malformed_json: { title: 'Malformed JSON', status: 400, retryable: false },
  unauthorized: { title: 'API key missing or wrong', status: 401, retryable: false },
  host_not_allowed: { title: 'Host not allowed', status: 403, retryable: false },
  origin_not_allowed: { title: 'Origin not allowed', status: 403, retryable: false },
  not_proxied: { title: 'Not passed on', status: 403, retryable: false },
  not_supported: { title: 'Not supported', status: 403, retryable: false },
  directory_not_allowed: { title: 'Directory not allowed', status: 403, retryable: false },
  not_found: { title: 'Not found', status: 404, retryable: false },
  task_not_found: { title: 'Task not found', status: 404, retryable: false },
  session_not_found: { title: 'Session not found', status: 404, retryable: false },
  ask_not_found: { title: 'Ask not found', status: 404, retryable: false },
  tier_not_found: { title: 'Tier not found', status: 404, retryable: false },
  method_not_allowed: { title: 'Method not allowed', status: 405, retryable: false },
  not_finished: { title: 'Task not finished', status: 409, retryable: true },
  parent_finished: { title: 'Parent finished', status: 409, retryable: false },
  session_busy: { title: 'Session busy', status: 409, retryable: true },
  ask_closed: { title: 'Ask closed', status: 409, retryable: false },
  log_expired: { title: 'Event log expired', status: 410, retryable: false },
  too_large: { title: 'Too large', status: 413, retryable: false },
  unsupported_media_type: { title: 'Unsupported media type', status: 415, retryable: false },
  budget_exceeded: { title: 'Budget exceeded', status: 402, retryable: true },
  // Requests that are well formed and mean nothing.
  invalid_input: { title: 'Invalid input', status: 422, retryable: false },
  unknown_field: { title: 'Unknown field', status: 422, retryable: false },
  unknown_type: { title: 'Unknown task type', status: 422, retryable: false },
  unknown_tier: { title: 'Unknown tier', status: 422, retryable: false },
  unknown_model: { title: 'Unknown model', status: 422, retryable: false },
  unknown_price: { title: 'Unknown price', status: 422, retryable: false },
  unknown_verifier: { title: 'Unknown verifier', status: 422, retryable: false },
  not_a_git_repository: { title: 'Not a Git repository', status: 422, retryable: false },
  unknown_parent: { title: 'Unknown parent', status: 422, retryable: false },
  nested_too_deep: { title: 'Nested too deep', status: 422, retryable: false },
  unknown_agent: { title: 'Unknown agent', status: 422, retryable: false },
  directory_not_found: { title: 'Directory not found', status: 422, retryable: false },
  directory_not_absolute: { title: 'Directory not absolute', status: 422, retryable: false },
  idempotency_key_reused: { title: 'Idempotency key reused', status: 422, retryable: false },
  no_route: { title: 'No route', status: 422, retryable: false },
  prompt_too_long: { title: 'Prompt too long', status: 422, retryable: false },
  queue_full: { title: 'Queue full', status: 429, retryable: true },
  internal_error: { title: 'Internal error', status: 500, retryable: true },
  redis_unavailable: { title: 'Redis unavailable', status: 503, retryable: true },
  opencode_unavailable: { title: 'OpenCode unavailable', status: 503, retryable: true },
  // Raised by the client: no answer came, or one that is not tierline's.
  server_unreachable: { title: 'Server unreachable', status: 503, retryable: true },
  unexpected_answer: { title: 'Unexpected answer', status: 502, retryable: false },
  // How a task may end other than well.
  cancelled: { title: 'Cancelled', status: 409, retryable: false },
  task_timeout: { title: 'Task timed out', status: 504, retryable: true },
  outcome_uncertain: { title: 'Outcome uncertain', status: 502, retryable: false },
  queue_timeout: { title: 'Waited too long in the queue', status: 504, retryable: true },
  retry_timeout: { title: 'Provider failed for too long', status: 504, retryable: true },
  stream_silent: { title: 'Stream silent', status: 504, retryable: true },
  too_many_steps: { title: 'Too many steps', status: 502, retryable: false },
  too_many_deliveries: { title: 'Task breaks its worker', status: 500, retryable: false },
  worktree_failed: { title: 'Worktree failed', status: 502, retryable: false },
  turn_failed: { title: 'Turn failed', status: 502, retryable: false },
  turn_aborted: { title: 'Turn aborted', status: 502, retryable: true },
  provider_error: { title: 'Provider error', status: 502, retryable: true },
  provider_auth: { title: 'Provider refused the credentials', status: 502, retryable: false },
  context_overflow: { title: 'Prompt exceeds the context', status: 422, retryable: false },
  // Start-up and configuration.
  invalid_config: { title: 'Invalid configuration', status: 500, retryable: false },
  redis_unsuitable: { title: 'Redis unsuitable', status: 500, retryable: false },
  service_not_found: { title: 'Service not found', status: 500, retryable: false },
  service_failed: { title: 'Service failed', status: 500, retryable: true },
  data_dir_locked: { title: 'Data directory in use', status: 500, retryable: true },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERRORS

/**
 * What is wrong with one field:
 * `{ field: 'model', message: 'is not in the catalog', given: 'acme/bigg', allowed: ['acme/big'] }`.
 */
export interface FieldError {
  /** Dotted path into the input: `messages.0.model`. */
  readonly field: string
  readonly message: string
  readonly given?: unknown
  /** What would be right, nearest first. */
  readonly allowed?: readonly string[]
}

/** The budget that has no money left. */
export interface BudgetFigures {
  readonly scope: string
  readonly per: 'hour' | 'day' | 'month' | 'once'
  readonly limitMicroUsd: number
  readonly spentMicroUsd: number
  /** By tasks that run. */
  readonly reservedMicroUsd: number
  /** Epoch ms; `null`: never. */
  readonly resetAt: number | null
}

export interface TierlineErrorOptions {
  readonly errors?: readonly FieldError[]
  /** When a retry makes sense, in milliseconds from now: becomes `Retry-After`. */
  readonly retryAfterMs?: number
  /** What a model provider answered, where it did. */
  readonly httpStatus?: number
  /** Of `budget_exceeded`, unless it is the task's own limit. */
  readonly budget?: BudgetFigures | undefined
  /** Overrides what the code says, where one occurrence knows better. */
  readonly retryable?: boolean
  readonly cause?: unknown
}

/** The one error class: the code tells them apart. The message never holds a secret. */
export class TierlineError extends Error {
  override readonly name = 'TierlineError'
  readonly code: ErrorCode
  /** False: the same again cannot help. */
  readonly retryable: boolean
  readonly errors: readonly FieldError[]
  readonly retryAfterMs: number | undefined
  readonly httpStatus: number | undefined
  readonly budget: BudgetFigures | undefined

  constructor(code: ErrorCode, message: string, options: TierlineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? ERRORS[code].retryable
    this.errors = options.errors ?? []
    this.retryAfterMs = options.retryAfterMs
    this.httpStatus = options.httpStatus
    this.budget = options.budget
  }
}

/** True for a `TierlineError`, of this code when one is given. */
export function isTierlineError(error: unknown, code?: ErrorCode): error is TierlineError {
  return error instanceof TierlineError && (code === undefined || error.code === code)
}
