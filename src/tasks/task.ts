/** A task as the world sees it: body of `GET /v1/tasks/:id`, and what `enqueue` and handles give. */
import { z } from 'zod'
import { BudgetFigures } from './budget-view.ts'
import { Route } from './route.ts'
import { TASK_STATES } from './state.ts'
import { Usage } from './usage.ts'

const EpochMs = z.int().min(0)
const MicroUsd = z.int().min(0)

export const MessageResult = z.object({
  messageID: z.string(),
  /** The model that answered. */
  model: z.string(),
  text: z.string(),
  /** OpenCode's word: `stop`, `length`. */
  finish: z.string(),
  usage: Usage,
  costMicroUsd: MicroUsd,
})
export type MessageResult = z.infer<typeof MessageResult>

/** A worker that took a task and was never heard of again; `lostAt` is when that was noticed. */
const LostWorker = z.object({ worker: z.string(), attempt: z.int().min(1), lostAt: EpochMs })

export const TaskFailure = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  model: z.string().optional(),
  httpStatus: z.int().optional(),
  /** Of `budget_exceeded`, unless the task's own limit was reached. */
  budget: BudgetFigures.optional(),
  /** Of `too_many_deliveries`: the evidence, oldest first. */
  lostWorkers: z.array(LostWorker).optional(),
})
export type TaskFailure = z.infer<typeof TaskFailure>

/** What a judge says of one answer. `by`: `output` for a schema, else the name of the verifier. */
export const Verdict = z.object({ passed: z.boolean(), by: z.string(), detail: z.string() })
export type Verdict = z.infer<typeof Verdict>

/** One of the tasks of a comparison. */
export const ComparisonRow = z.object({
  /** `null`: it could not even be submitted; `error` says why. */
  taskID: z.string().nullable(),
  model: z.string(),
  state: z.enum(TASK_STATES),
  text: z.string().nullable(),
  /** Cut at 256 Ki characters; the task has the whole of it. */
  diff: z.string().nullable(),
  usage: Usage,
  costMicroUsd: MicroUsd,
  /** From the first message to the first text; `null`: there was none, or the log is trimmed. */
  firstTokenMs: z.int().nullable(),
  /** From its start to its end. */
  totalMs: z.int().nullable(),
  verdict: Verdict.nullable(),
  error: TaskFailure.nullable(),
})
export type ComparisonRow = z.infer<typeof ComparisonRow>

export const TaskResult = z.object({
  /** The last message's answer. */
  text: z.string(),
  structured: z.null(),
  /** What was changed in the task's worktree, as a patch for `git apply`; `null`: it had none. */
  diff: z.string().nullable(),
  messages: z.array(MessageResult),
  /** Of a comparison, which has no answer of its own. */
  comparison: z.array(ComparisonRow).nullable(),
})
export type TaskResult = z.infer<typeof TaskResult>

/** Why a task does not go on. The state stays `waiting`, except for `children` and `person`: those run. */
export const WaitingFor = z.object({
  reason: z.enum(['session', 'limit', 'cooldown', 'budget', 'children', 'person', 'directory']),
  detail: z.string(),
  until: EpochMs.nullable(),
})
export type WaitingFor = z.infer<typeof WaitingFor>

export const Task = z.object({
  id: z.string(),
  state: z.enum(TASK_STATES),
  waitingFor: WaitingFor.nullable(),
  type: z.string().nullable(),
  tier: z.string().nullable(),
  queue: z.string(),
  /** The model that runs or ran last; before the start, the one that would run now. */
  model: z.string(),
  route: Route,
  directory: z.string().nullable(),
  /** Name of the OpenCode server, once a session is open. */
  server: z.string().nullable(),
  sessionID: z.string().nullable(),
  parentTaskID: z.string().nullable(),
  /** 0 before the first start. */
  attempt: z.int().min(0),
  /** `message` counts from 1; 0 before the first message is sent. */
  progress: z.object({ message: z.int().min(0), messages: z.int().min(1) }),
  usage: Usage,
  costMicroUsd: MicroUsd,
  costEstimatedMicroUsd: MicroUsd,
  createdAt: EpochMs,
  startedAt: EpochMs.nullable(),
  finishedAt: EpochMs.nullable(),
  result: TaskResult.nullable(),
  error: TaskFailure.nullable(),
  metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  links: z.object({ self: z.string(), events: z.string(), result: z.string(), board: z.string() }),
})
export type Task = z.infer<typeof Task>

/** Body of `GET /v1/tasks/:id/result` once the task is over. */
export const TaskOutcome = Task.pick({
  id: true,
  state: true,
  result: true,
  error: true,
  usage: true,
  costMicroUsd: true,
})
export type TaskOutcome = z.infer<typeof TaskOutcome>

/** The part of a task that its result endpoint and `handle.result()` give. */
export function outcomeOf({ id, state, result, error, usage, costMicroUsd }: Task): TaskOutcome {
  return { id, state, result, error, usage, costMicroUsd }
}
