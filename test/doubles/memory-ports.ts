/**
 * The ports of the HTTP server in memory: tasks are kept in a map and run by nobody, so a test says itself
 * what becomes of them. Input is parsed as the real ports do.
 */
import { TierlineError } from '../../src/errors.ts'
import type {
  BoardJob,
  BoardQueue,
  BoardState,
  HttpPorts,
  SessionPort,
  TaskPort,
} from '../../src/http/ports.ts'
import { type Ask, AskAnswer } from '../../src/tasks/ask.ts'
import type { BudgetView } from '../../src/tasks/budget-view.ts'
import { CompareInput, splitCompareInput } from '../../src/tasks/compare-input.ts'
import { CostsQuery } from '../../src/tasks/costs.ts'
import type { StreamItem, TaskEvent } from '../../src/tasks/event.ts'
import type { ParsedTaskInput } from '../../src/tasks/input.ts'
import { parseTaskInput, parseWith } from '../../src/tasks/parse-input.ts'
import { problemOf } from '../../src/tasks/problem.ts'
import { isTerminal } from '../../src/tasks/state.ts'
import type { Task, TaskFailure } from '../../src/tasks/task.ts'
import { NO_USAGE } from '../../src/tasks/usage.ts'
import { createMemoryTask, MEMORY_ROUTES, MEMORY_TIERS, memoryModel } from './memory-task.ts'

type Finished = Extract<StreamItem, { type: 'end' }>['state']

export interface MemoryPorts extends HttpPorts {
  /** Appends one event to a task's log, with the next sequence number. */
  push(id: string, event: { type: string } & Record<string, unknown>): TaskEvent
  /** Ends a task: its last event, then `end`. */
  finish(id: string, state: Finished, outcome?: { text?: string; error?: TaskFailure }): void
  /** The task asks this from now on. */
  ask(id: string, ask: Ask): void
  /** Changes what `get` gives. */
  patch(id: string, fields: Partial<Task>): void
  /** Drops the log up to this sequence number. */
  trim(id: string, upTo: number): void
  /** Everything throws this until it is set to `undefined`. */
  breakWith(error: unknown): void
  /** How many event streams are being read. */
  readers(): number
  /** How many items were pulled by all streams so far. */
  pulled(): number
  /** Names of what was called to change something, with ids: `cancel tsk_…`. */
  readonly calls: string[]
}

const MEMORY_BUDGETS: BudgetView[] = [
  {
    ...{ scope: 'global', per: 'day', timeZone: 'Europe/Berlin', onExceed: 'reject' },
    ...{ limitMicroUsd: 50_000_000, spentMicroUsd: 12_500_000, reservedMicroUsd: 5_000_000 },
    ...{ windowStartAt: 1_795_302_000_000, resetAt: 1_795_388_400_000 },
  },
  {
    ...{ scope: 'type:lint', per: 'once', timeZone: 'UTC', onExceed: 'downgrade' },
    ...{ limitMicroUsd: 1_000_000, spentMicroUsd: 1_000_020, reservedMicroUsd: 0 },
    ...{ windowStartAt: null, resetAt: null },
  },
]

interface Entry {
  task: Task
  input: ParsedTaskInput
  log: TaskEvent[]
  firstSeq: number
}

export function createMemoryPorts({ maxPromptBytes = 1024 * 1024 } = {}): MemoryPorts {
  const entries = new Map<string, Entry>()
  const once = new Map<string, Task>()
  const asks = new Map<string, Ask[]>()
  const paused = new Set<string>()
  const calls: string[] = []
  const listeners = new Set<() => void>()
  let broken: unknown
  let readers = 0
  let pulled = 0

  const changed = () => {
    for (const listener of [...listeners]) listener()
  }

  /** Resolves at the next change, or when the signal aborts. */
  const nextChange = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const done = () => {
        listeners.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      listeners.add(done)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })

  function find(id: string): Entry {
    if (broken !== undefined) throw broken
    const entry = entries.get(id)
    if (entry === undefined) throw new TierlineError('task_not_found', `Cannot find task "${id}"`)
    return entry
  }

  function createEntry(input: unknown): Entry {
    if (broken !== undefined) throw broken
    const parsed = parseTaskInput(input, { maxPromptBytes })
    const task = createMemoryTask(parsed)
    const entry: Entry = { task, input: parsed, log: [], firstSeq: 1 }
    entries.set(task.id, entry)
    append(entry, { type: 'task-queued', queue: task.queue })
    append(entry, { type: 'task-routed', route: task.route })
    return entry
  }

  /** By key alone: what becomes of another body is not for the HTTP server to say. */
  function acceptOnce(input: unknown, caller: string | null): { status: 200 | 202; task: Task } {
    const { idempotencyKey } = (input ?? {}) as { idempotencyKey?: unknown }
    const key = typeof idempotencyKey === 'string' ? `${caller} ${idempotencyKey}` : undefined
    const known = key === undefined ? undefined : once.get(key)
    if (known !== undefined) return { status: 200, task: known }
    const { task } = createEntry(input)
    if (key !== undefined) once.set(key, task)
    return { status: 202, task }
  }

  function append(entry: Entry, event: { type: string } & Record<string, unknown>): TaskEvent {
    const seq = entry.firstSeq + entry.log.length
    const full = { seq, at: Date.now(), attempt: entry.task.attempt, ...event } as TaskEvent
    entry.log.push(full)
    changed()
    return full
  }

  function finish(entry: Entry, state: Finished, outcome: { text?: string; error?: TaskFailure } = {}): void {
    const { text = 'Done.', error = null } = outcome
    Object.assign(entry.task, {
      state,
      finishedAt: Date.now(),
      error,
      result:
        state === 'succeeded' ? { text, structured: null, diff: null, messages: [], comparison: null } : null,
    })
    append(entry, { type: 'task-finished', state, ...(error && { error }) })
  }

  async function* readEvents(
    id: string,
    { after, signal }: { after: number; signal: AbortSignal },
  ): AsyncGenerator<StreamItem> {
    readers += 1
    try {
      const entry = find(id)
      if (isTerminal(entry.task.state) && entry.log.length === 0)
        throw new TierlineError('log_expired', `Cannot read the events of task "${id}": its log was removed`)
      let next = after + 1
      while (!signal.aborted) {
        if (broken !== undefined) throw broken
        if (next < entry.firstSeq) {
          yield { type: 'reset', missing: [next, entry.firstSeq - 1] }
          next = entry.firstSeq
        }
        const event = entry.log[next - entry.firstSeq]
        if (event !== undefined) {
          pulled += 1
          next += 1
          yield event
        } else if (isTerminal(entry.task.state)) {
          yield { type: 'end', state: entry.task.state as Finished }
          return
        } else await nextChange(signal)
      }
    } finally {
      readers -= 1
    }
  }

  const tasks: TaskPort = {
    submit: async (input) => createEntry(input).task,
    accept: async (input, caller) => acceptOnce(input, caller),
    compare: async (input) => (await tasks.acceptCompare(input, null)).task,
    acceptCompare: async (raw, caller) => {
      const { idempotencyKey, ...rest } = parseWith(CompareInput, raw, 'Cannot accept')
      const { input } = splitCompareInput(rest, 'shared')
      return acceptOnce({ ...input, ...(idempotencyKey !== undefined && { idempotencyKey }) }, caller)
    },
    submitMany: async (inputs, caller = null) =>
      inputs.map((input) => {
        try {
          return acceptOnce(input, caller)
        } catch (error) {
          const problem = problemOf(error)
          return { status: problem.status, problem }
        }
      }),
    get: async (id) => find(id).task,
    list: async ({ state, type, tier, model, parentTaskID, metadata, since = 0, limit, cursor }) => {
      if (broken !== undefined) throw broken
      const found = [...entries.values()]
        .map(({ task }) => task)
        .reverse()
        .filter((task) => cursor === undefined || task.id < cursor)
        .filter((task) => state === undefined || task.state === state)
        .filter((task) => type === undefined || task.type === type)
        .filter((task) => tier === undefined || task.tier === tier)
        .filter((task) => model === undefined || task.model === model)
        .filter((task) => parentTaskID === undefined || task.parentTaskID === parentTaskID)
        .filter((task) => Object.entries(metadata ?? {}).every(([k, v]) => String(task.metadata[k]) === v))
        .filter((task) => task.createdAt >= since)
      const data = found.slice(0, limit)
      return { data, nextCursor: found.length > limit ? data.at(-1)!.id : null }
    },
    children: async (id, query) => tasks.list({ ...query, parentTaskID: find(id).task.id }),
    whenFinished: async (id, waitMs, signal) => {
      const over = AbortSignal.any([signal, AbortSignal.timeout(waitMs)])
      while (!isTerminal(find(id).task.state) && !over.aborted) await nextChange(over)
      return find(id).task
    },
    events: readEvents,
    cancel: async (id) => {
      const entry = find(id)
      calls.push(`cancel ${id}`)
      if (!isTerminal(entry.task.state))
        finish(entry, 'cancelled', {
          error: { code: 'cancelled', message: 'Cancelled by request', retryable: false },
        })
      return entry.task
    },
    retry: async (id) => {
      const { task } = finishedEntry(id, 'retry')
      calls.push(`retry ${id}`)
      Object.assign(task, { state: 'waiting', finishedAt: null, result: null, error: null })
      append(find(id), { type: 'task-retried' })
      return task
    },
    asks: async (id) => asks.get(find(id).task.id) ?? [],
    answer: async (id, askID, answer) => {
      const ask = (asks.get(find(id).task.id) ?? []).find((one) => one.id === askID)
      if (ask === undefined) throw new TierlineError('ask_not_found', `Cannot find the ask "${askID}"`)
      if (ask.state !== 'open') throw new TierlineError('ask_closed', `Cannot answer the ask "${askID}"`)
      parseWith(AskAnswer, answer, 'Cannot answer the ask')
      calls.push(`answer ${id} ${askID} ${JSON.stringify(answer)}`)
      ask.state = 'answered'
      return ask
    },
    promote: async (id) => {
      const { task } = find(id)
      calls.push(`promote ${id}`)
      if (task.state === 'delayed') task.state = 'waiting'
      return task
    },
    remove: async (id) => {
      finishedEntry(id, 'remove')
      calls.push(`remove ${id}`)
      entries.delete(id)
    },
  }

  function finishedEntry(id: string, action: string): Entry {
    const entry = find(id)
    if (isTerminal(entry.task.state)) return entry
    throw new TierlineError('not_finished', `Cannot ${action} task "${id}": it is ${entry.task.state}`)
  }

  const tierView = (tier: string) => ({
    tier,
    models: MEMORY_TIERS[tier] ?? [],
    concurrency: null,
    paused: paused.has(tier),
  })

  function setPaused(tier: string, value: boolean) {
    if (!(tier in MEMORY_TIERS)) throw new TierlineError('tier_not_found', `Cannot find tier "${tier}"`)
    if (value) paused.add(tier)
    else paused.delete(tier)
    return tierView(tier)
  }

  function boardQueue(name: string): BoardQueue {
    const jobs = () =>
      [...entries.values()]
        .filter(({ task }) => task.queue === name)
        .reverse()
        .map(({ task, input }): BoardJob => {
          const data = { ...input }
          return {
            id: task.id,
            name: task.type ?? 'task',
            state: BOARD_STATE[task.state],
            task,
            data,
            processedBy: null,
          }
        })
    return {
      name,
      counts: async () => {
        const counts = { active: 0, waiting: 0, prioritized: 0, delayed: 0, completed: 0, failed: 0 }
        for (const { state } of jobs()) counts[state] += 1
        return counts
      },
      jobs: async (states, start, end) =>
        jobs()
          .filter(({ state }) => states.includes(state))
          .slice(start, end + 1),
      job: async (id) => jobs().find((job) => job.id === id),
      logs: async (id) => find(id).log.map((event) => JSON.stringify(event)),
      isPaused: async () => paused.has(name),
      pause: async () => void paused.add(name),
      resume: async () => void paused.delete(name),
      redisInfo: async () => 'redis_version:7.0.15\r\ntcp_port:6379\r\nused_memory:1000000\r\n',
    }
  }

  return {
    calls,
    ask: (id, ask) => void asks.set(id, [...(asks.get(id) ?? []), ask]),
    push: (id, event) => append(find(id), event),
    finish: (id, state, outcome) => finish(find(id), state, outcome),
    patch(id, fields) {
      Object.assign(find(id).task, fields)
      changed()
    },
    trim(id, upTo) {
      const entry = find(id)
      entry.log = entry.log.filter(({ seq }) => seq > upTo)
      entry.firstSeq = upTo + 1
    },
    breakWith(error) {
      broken = error
      changed()
    },
    readers: () => readers,
    pulled: () => pulled,
    tasks,
    // Tested with the whole core behind it: test/http/session-api.
    sessions: new Proxy({} as SessionPort, {
      get: () => () => {
        throw new Error('There are no sessions in these ports')
      },
    }),
    routing: {
      routes: async () => ({
        generation: 1,
        source: { kind: 'derived', path: null },
        tiers: Object.keys(MEMORY_TIERS).map(tierView),
        rules: [
          { when: { key: ['ci', 'nightly'], promptTokens: { over: 60_000 } }, tier: 'powerful', model: null },
        ],
        routes: Object.entries(MEMORY_ROUTES).map(([type, tier]) => ({ type, tier, model: null })),
        default: 'balanced',
        warnings: [],
      }),
      explain: async (input, key = null) => {
        try {
          const { route } = createMemoryTask(parseTaskInput(input, { maxPromptBytes }))
          const steps =
            key === null ? [] : [{ step: 'rule', input: 'rules.0', outcome: `asked of key ${key}` }]
          return { route: { ...route, steps: [...steps, ...route.steps] }, problem: null }
        } catch (error) {
          return { route: null, problem: problemOf(error) }
        }
      },
      models: async () =>
        Object.entries(MEMORY_TIERS).flatMap(([tier, models]) => models.map((m) => memoryModel(m, tier))),
      pauseTier: async (tier) => setPaused(tier, true),
      resumeTier: async (tier) => setPaused(tier, false),
    },
    money: {
      async budgets() {
        if (broken !== undefined) throw broken
        return MEMORY_BUDGETS
      },
      costs: async (query) => {
        const { groupBy } = parseWith(CostsQuery, query, 'Cannot tell the costs')
        const total = {
          ...{ tasks: 3, succeeded: 2, costMicroUsd: 1_234, costEstimatedMicroUsd: 56 },
          usage: { ...NO_USAGE, inputTokens: 1_000, outputTokens: 20 },
        }
        return { groupBy, data: [{ group: 'acme/nano', ...total }], total }
      },
    },
    health: {
      readiness: async () => ({
        checks: {
          redis: { ok: broken === undefined, detail: broken === undefined ? 'answers' : 'away' },
          workers: { ok: true, detail: '1 worker' },
          opencode: { ok: true, detail: 'answers' },
          config: { ok: true, generation: 1, error: null },
        },
      }),
    },
    board: { queues: () => [...Object.keys(MEMORY_TIERS), 'direct', 'nested'].map(boardQueue) },
  }
}

const BOARD_STATE: Record<Task['state'], BoardState> = {
  waiting: 'waiting',
  delayed: 'delayed',
  running: 'active',
  succeeded: 'completed',
  failed: 'failed',
  cancelled: 'failed',
}
