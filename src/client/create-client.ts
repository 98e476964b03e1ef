import { TierlineError } from '../errors.ts'
import type { Ask, AskAnswer } from '../tasks/ask.ts'
import type { BudgetView } from '../tasks/budget-view.ts'
import type { CompareInput } from '../tasks/compare-input.ts'
import type { Costs, CostsQuery } from '../tasks/costs.ts'
import type { EnqueueResult, TaskHandle } from '../tasks/handle.ts'
import type { TaskInput } from '../tasks/input.ts'
import type { BatchItem, ListQuery, TaskPage } from '../tasks/list-query.ts'
import type { Task } from '../tasks/task.ts'
import type { Explanation, ModelView, Readiness, RoutesView, TierView, VersionView } from '../tasks/views.ts'
import { createApi } from './api.ts'
import { createHandle } from './create-handle.ts'
import { errorOfProblem } from './problem-error.ts'
import { taskPath } from './task-path.ts'

const DEFAULT_PATIENCE_MS = 60_000
/** Three heartbeats of the server. */
const DEFAULT_SILENCE_MS = 45_000

export interface ClientOptions {
  /** Of the server, with a path where a proxy puts it under one: `http://127.0.0.1:4400`. */
  url: string
  /** The secret of one of the server's `TIERLINE_API_KEYS`; default: the password in `url`, if there is one. */
  apiKey?: string | undefined
  /** Instead of the global `fetch`. */
  fetch?: typeof fetch
  /** How long `events()`, `text()` and `result()` bear that the server is away. Default 60,000. */
  patienceMs?: number
  /** Longest silence of a stream before it is opened again; the server gives a sign every 15 s. Default 45,000. */
  silenceMs?: number
}

/** Every function throws `TierlineError`: what the server said, `server_unreachable` or `unexpected_answer`. */
export interface TierlineClient {
  /**
   * Queues a task; when it resolves, the task is safe. Sent again by itself when no answer came, with an
   * `idempotencyKey` (its own where the input has none), so that there is one task all the same.
   */
  enqueue(input: TaskInput): Promise<TaskHandle>
  /** Queues up to 1,000 tasks, each by itself: one answer per input, in order. */
  enqueueMany(inputs: readonly TaskInput[]): Promise<EnqueueResult[]>
  /**
   * The same task on several models or tiers at once; sent again as `enqueue` is. The handle is of a task that waits for them: its result
   * has the table, `children()` the tasks.
   */
  compare(input: CompareInput): Promise<TaskHandle>
  /** The handle of a task that is queued already. Asks nothing. */
  task(id: string): TaskHandle
  get(id: string): Promise<Task>
  /** Newest first; pass `nextCursor` on as `cursor` until it is `null`. A page may be short, or empty. */
  list(query?: Partial<ListQuery>): Promise<TaskPage>
  /** Idempotent. */
  cancel(id: string): Promise<Task>
  /** Runs a finished task once more, under its id. @throws {TierlineError} `not_finished`. */
  retry(id: string): Promise<Task>
  /** Deletes a finished task with its log. @throws {TierlineError} `not_finished`. */
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
   * The route a task would take, with every rule, or why there is none. Queues nothing. `key`: name of the API key
   * it would be submitted with; default: the one of this client.
   */
  explain(input: TaskInput, options?: { key?: string }): Promise<Explanation>
  /** Lets running tasks end and starts no other. Also takes `direct` and `nested`. */
  pauseTier(tier: string): Promise<TierView>
  resumeTier(tier: string): Promise<TierView>
  version(): Promise<VersionView>
  /** Resolves when the server answers. */
  health(): Promise<void>
  /** What works and what does not; a server that is not ready is an answer, no error. */
  ready(): Promise<Readiness>
}

/**
 * A client of one tierline server. Runs in Node and in browsers, and has nothing to close.
 *
 * @example
 * const tierline = createClient({ url: 'http://127.0.0.1:4400' })
 * const task = await tierline.enqueue({ type: 'lint', prompt: 'Find unused variables in src/' })
 * for await (const text of task.text()) process.stdout.write(text)
 * const { state, costMicroUsd } = await task.result()
 *
 * @throws {TierlineError} `invalid_input` when `url` is not an http URL.
 */
export function createClient(options: ClientOptions): TierlineClient {
  const { url, password } = parseUrl(options.url)
  const api = createApi({ url, apiKey: options.apiKey ?? password, fetch: options.fetch })
  const reader = {
    patienceMs: options.patienceMs ?? DEFAULT_PATIENCE_MS,
    silenceMs: options.silenceMs ?? DEFAULT_SILENCE_MS,
  }
  const post = <Body>(path: string) => api.json<Body>(path, { method: 'post', repeat: 'refused' })
  const tierPath = (tier: string) => `v1/tiers/${encodeURIComponent(tier)}`

  return {
    async enqueue(input) {
      const { id } = await api.json<Task>('v1/tasks', { method: 'post', json: keyed(input), repeat: 'keyed' })
      return createHandle(api, id, reader)
    },
    async enqueueMany(inputs) {
      const { data } = await api.json<{ data: BatchItem[] }>('v1/tasks/batch', {
        method: 'post',
        json: { tasks: inputs.map(keyed) },
        repeat: 'keyed',
      })
      return data.map((item) =>
        'task' in item
          ? { status: 'accepted', handle: createHandle(api, item.task.id, reader) }
          : { status: 'refused', error: errorOfProblem(item.problem, { status: item.status }) },
      )
    },
    async compare(input) {
      const { id } = await api.json<Task>('v1/compare', {
        method: 'post',
        json: keyed(input),
        repeat: 'keyed',
      })
      return createHandle(api, id, reader)
    },
    task: (id) => createHandle(api, id, reader),
    get: async (id) => api.json(taskPath(id)),
    list: (query = {}) => api.json('v1/tasks', { query: listParams(query) }),
    cancel: async (id) => post(`${taskPath(id)}/cancel`),
    retry: async (id) => api.json(`${taskPath(id)}/retry`, { method: 'post' }),
    async remove(id) {
      await api.send(taskPath(id), { method: 'delete', repeat: 'refused' })
    },
    asks: async (id) => (await api.json<{ data: Ask[] }>(`${taskPath(id)}/asks`)).data,
    answer: async (id, askID, answer) =>
      api.json(`${taskPath(id)}/asks/${encodeURIComponent(askID)}`, { method: 'post', json: answer }),
    costs: (query = {}) => api.json('v1/costs', { query: listParams(query) }),
    models: async () => (await api.json<{ data: ModelView[] }>('v1/models')).data,
    budgets: async () => (await api.json<{ data: BudgetView[] }>('v1/budgets')).data,
    routes: () => api.json('v1/routes'),
    explain: (input, { key } = {}) =>
      api.json('v1/routes/explain', {
        method: 'post',
        json: input,
        repeat: 'refused',
        ...(key !== undefined && { query: new URLSearchParams({ key }) }),
      }),
    pauseTier: (tier) => post(`${tierPath(tier)}/pause`),
    resumeTier: (tier) => post(`${tierPath(tier)}/resume`),
    version: () => api.json('v1/version'),
    async health() {
      const response = await api.send('healthz')
      await response.body?.cancel()
    },
    async ready() {
      const body = await api.json<Readiness>('readyz', { allowStatus: 503, repeat: 'never' })
      if ('checks' in body) return body
      throw errorOfProblem(body, { status: 503 })
    },
  }
}

/** With a key, so that a repeat after a lost answer finds the first task. */
function keyed<Input extends { idempotencyKey?: string | undefined }>(input: Input): Input {
  // Not `crypto.randomUUID`: browsers have it on secure pages only.
  const random = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('')
  return typeof input === 'object' && input !== null
    ? { ...input, idempotencyKey: input.idempotencyKey ?? random() }
    : input
}

function parseUrl(text: string): { url: string; password: string | undefined } {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const password = url && decoded(url.password)
  if (url === undefined || password === undefined || !/^https?:$/.test(url.protocol)) {
    const given = text.replace(/\/\/.*@/, '//***@')
    throw new TierlineError(
      'invalid_input',
      `Cannot create a client for "${given}": it must be a URL such as "http://127.0.0.1:4400"`,
      { errors: [{ field: 'url', message: 'must start with "http://" or "https://"', given }] },
    )
  }
  return {
    url: `${url.origin}${url.pathname}`.replace(/\/+$/, ''),
    password: password === '' ? undefined : password,
  }
}

/** `undefined` where a "%" encodes nothing. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** `{ metadata: { team: 'a' } }` → `metadata.team=a`. */
function listParams({ metadata = {}, ...filters }: Partial<ListQuery & CostsQuery>): URLSearchParams {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(filters))
    if (value !== undefined) params.set(name, String(value))
  for (const [key, value] of Object.entries(metadata)) params.set(`metadata.${key}`, value)
  return params
}
