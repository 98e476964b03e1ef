/** The record of one task as it lies in Redis: a hash of strings. The truth; everything else is derived. */

import type { BudgetFigures } from '../errors.ts'
import { addSpent, parseSpent, type Spent, totalOf } from '../ledger/spent.ts'
import type { CompareSpec } from '../tasks/compare-input.ts'
import type { ParsedTaskInput } from '../tasks/input.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { Route } from '../tasks/route.ts'
import { isTerminal, type TaskState } from '../tasks/state.ts'
import type { ComparisonRow, MessageResult, Task, TaskFailure, WaitingFor } from '../tasks/task.ts'
import { type KeptAsk, parseAsks, waitsForPerson } from './kept-asks.ts'

/** Where a task stands: what a worker that takes over must know before it sends anything. */
export interface Checkpoint {
  /** The message in flight, counted from 0. */
  index: number
  /** Rises only when the retry policy decides to pay again, never on a take-over. */
  try: number
  /** The model the message was sent to. */
  model: ModelID
  /** Set before the session is aborted, so that a take-over does not pay for the turn again. */
  abort?: 'cancelled' | 'task_timeout'
  /** The same for a limit of the turn, after which the task may go on. */
  cut?: TurnCut
  /** Set once a turn of this message has failed. */
  retry?: Retrying
}

/** A limit of ours that ends a turn: a worker that takes over goes on with the same decision. */
export interface TurnCut {
  /** `provider_error`: OpenCode would wait too long, or has asked too often, before its provider answers. */
  code: 'too_many_steps' | 'stream_silent' | 'provider_error' | 'budget_exceeded'
  message: string
  /** The budget that had no more; absent: the task's own limit. */
  budget?: BudgetFigures
  /** How long OpenCode wanted to wait. */
  retryAfterMs?: number
}

export interface Retrying {
  /** Turns that failed on the model of the checkpoint. */
  tries: number
  /** Epoch ms of the first failure since the last step that went well; absent: a step went well after it. */
  since?: number
  /** The next try was not sent yet. */
  isDue?: true
  /** Models that this message was given up on. */
  givenUp: readonly ModelID[]
}

/** A working copy of the task's own. Its `directory` is then the task's. */
export interface TaskWorktree {
  /** Where the copy is. */
  root: string
  directory: string
  /** The commit it began at; `null` where its files are out of reach. */
  base: string | null
  /** The directory that was copied, a real path; `null`: the server's own. */
  source: string | null
}

export interface TaskRecord {
  id: string
  state: TaskState
  input: ParsedTaskInput
  /** Name of the API key it was submitted with, else that of the task above it; `null`: none. */
  key: string | null
  queue: string
  type: string | null
  tier: string | null
  model: ModelID
  route: Route
  /** Where it works, a real path; `null`: the server's own working directory. */
  directory: string | null
  worktree: TaskWorktree | null
  /** What was changed in the worktree, of a task that succeeded. */
  diff: string | null
  /** The task above it that has the same directory for itself, where it wants it for itself, too. */
  exclusiveBelow: string | null
  /** Set: it sends nothing itself, its children do. */
  compare: CompareSpec | null
  comparison: readonly ComparisonRow[] | null
  /** True: the worktree stays until its parent is over. */
  keepsWorktree: boolean
  /** The process that waits for its end, and is told it; `null`: none. */
  waiter: string | null
  createdAt: number
  /** Epoch ms before which a delayed task does not start. 0: no delay. */
  delayUntil: number
  fence: number
  attempt: number
  seq: number
  /** How often the producer asked for it again. Part of the name its session is found by. */
  retries: number
  /** 1 for a task without a parent. */
  depth: number
  /** Whether it has, or had, children. */
  isParent: boolean
  /** Children that are not over; counted by `read` and `readMany`, of a running parent only. */
  liveChildren: number
  /** How long it may wait for its first start; `null`: as all tasks. */
  queueTimeoutMs: number | null
  startedAt: number | null
  finishedAt: number | null
  cancelAt: number | null
  server: string | null
  sessionID: string | null
  checkpoint: Checkpoint | null
  /** The messages that are answered. */
  done: readonly MessageResult[]
  /** By the turns that are over, whether they went well or not. */
  spent: Spent
  /** By the turn under way, as far as it is known. */
  turnSpent: Spent
  /** What was spent before the producer asked for the task again, micro-USD, estimates included. */
  costBeforeRetry: number
  error: TaskFailure | null
  /** What it has asked of people, oldest first. */
  asks: readonly KeptAsk[]
  /** What keeps it from starting or going on; `null`: nothing. */
  waitingFor: WaitingFor | null
}

type Hash = Readonly<Record<string, string>>

/** `undefined` for an empty hash: no such task. */
export function parseRecord(id: string, hash: Hash): TaskRecord | undefined {
  if (hash.state === undefined) return undefined
  const input = JSON.parse(hash.input!) as ParsedTaskInput
  const route = JSON.parse(hash.route!) as Route
  return {
    id,
    state: hash.state as TaskState,
    input,
    key: hash.key ?? null,
    queue: hash.queue!,
    type: input.type ?? null,
    tier: route.tier,
    // Written when the first message is sent; until then it is the route's.
    model: (hash.model ?? route.model) as ModelID,
    route,
    directory: hash.directory || null,
    worktree: hash.worktree ? (JSON.parse(hash.worktree) as TaskWorktree) : null,
    diff: hash.diff ?? null,
    exclusiveBelow: hash.exclusiveBelow || null,
    compare: hash.compare ? (JSON.parse(hash.compare) as CompareSpec) : null,
    comparison: hash.comparison ? (JSON.parse(hash.comparison) as ComparisonRow[]) : null,
    keepsWorktree: hash.keepsWorktree !== undefined,
    waiter: hash.waiter ?? null,
    createdAt: Number(hash.createdAt),
    delayUntil: Number(hash.delayUntil ?? 0),
    fence: Number(hash.fence ?? 0),
    attempt: Number(hash.attempt ?? 0),
    seq: Number(hash.seq ?? 0),
    retries: Number(hash.retries ?? 0),
    depth: Number(hash.depth ?? 1),
    isParent: hash.children !== undefined,
    liveChildren: 0,
    queueTimeoutMs: numberOrNull(hash.queueTimeoutMs),
    startedAt: numberOrNull(hash.startedAt),
    finishedAt: numberOrNull(hash.finishedAt),
    cancelAt: numberOrNull(hash.cancelAt),
    server: hash.server || null,
    sessionID: hash.sessionID || null,
    checkpoint: hash.checkpoint ? (JSON.parse(hash.checkpoint) as Checkpoint) : null,
    done: hash.done ? (JSON.parse(hash.done) as MessageResult[]) : [],
    spent: parseSpent(hash.spent),
    turnSpent: parseSpent(hash.turnSpent),
    costBeforeRetry: Number(hash.costBeforeRetry ?? 0),
    error: hash.error ? (JSON.parse(hash.error) as TaskFailure) : null,
    asks: parseAsks(hash),
    waitingFor: hash.waitingFor ? (JSON.parse(hash.waitingFor) as WaitingFor) : null,
  }
}

/** The task as the world sees it. `now` decides whether a delay is over. */
export function viewTask(record: TaskRecord, now: number): Task {
  const { id, done } = record
  const messages = record.input.messages?.length ?? 1
  const sent = record.checkpoint === null ? done.length : Math.max(done.length, record.checkpoint.index + 1)
  const self = `/v1/tasks/${id}`
  return {
    id,
    state: shownState(record, now),
    waitingFor: waitsForPerson(record) ?? waitingForOf(record),
    type: record.type,
    tier: record.tier,
    queue: record.queue,
    model: record.model,
    route: record.route,
    directory: record.directory,
    server: record.server,
    sessionID: record.sessionID,
    parentTaskID: record.input.parentTaskID ?? null,
    attempt: record.attempt,
    progress: { message: sent, messages },
    ...totalOf(addSpent(record.spent, record.turnSpent)),
    createdAt: record.createdAt,
    startedAt: record.startedAt,
    finishedAt: record.finishedAt,
    result: record.state === 'succeeded' ? resultOf(record) : null,
    error: isTerminal(record.state) ? record.error : null,
    metadata: record.input.metadata ?? {},
    links: {
      self,
      events: `${self}/events`,
      result: `${self}/result`,
      board: `/board/queue/${record.queue}/${id}`,
    },
  }
}

function resultOf({ done, diff, comparison }: TaskRecord): Task['result'] {
  if (comparison !== null) {
    const text = comparison.map(({ model, state }) => `${model}: ${state}`).join('\n')
    return { text, structured: null, diff: null, messages: [], comparison: [...comparison] }
  }
  const last = done.at(-1)
  return last ? { text: last.text, structured: null, diff, messages: [...done], comparison: null } : null
}

function waitingForOf({ state, waitingFor, liveChildren }: TaskRecord): WaitingFor | null {
  if (isTerminal(state) || liveChildren === 0) return isTerminal(state) ? null : waitingFor
  const detail = liveChildren === 1 ? '1 child is not over' : `${liveChildren} children are not over`
  return { reason: 'children', detail, until: null }
}

/** BullMQ ends a delay by itself and tells the record nothing: the clock does. */
function shownState(record: TaskRecord, now: number): TaskState {
  return record.state === 'delayed' && record.delayUntil <= now ? 'waiting' : record.state
}

function numberOrNull(text: string | undefined): number | null {
  return text === undefined || text === '' ? null : Number(text)
}
