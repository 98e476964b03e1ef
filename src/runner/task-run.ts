/** One run of one task: what all steps of its story share. */
import type { LetGo, Write, WriteResult } from '../records/record-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { Spending } from '../sessions/backend.ts'
import type { TaskEvent } from '../tasks/event.ts'
import type { ModelID } from '../tasks/model-id.ts'
import type { TaskFailure, WaitingFor } from '../tasks/task.ts'
import type { Alarms } from './alarms.ts'
import type { AskDeps } from './ask-desk.ts'
import type { Book, PriceOf } from './book.ts'
import type { InterruptionSource, RunSignals } from './interruption.ts'
import type { Journal } from './journal.ts'
import type { OpenSessionDeps } from './open-session.ts'
import type { RetryPolicy } from './retry-policy.ts'
import type { TaskBudget } from './task-budget.ts'

export interface TaskRun {
  /** Changes as the task goes on; what is final is what the journal has written. */
  readonly record: TaskRecord
  readonly deps: RunnerDeps
  readonly limits: TaskLimits
  /** When the time of the task is over, epoch ms. */
  readonly deadlineAt: number
  readonly interruption: InterruptionSource
  readonly journal: Journal
  /** What it spends. */
  readonly book: Book
  /** `undefined`: no limit of money is about it. */
  readonly budget: TaskBudget | undefined
  /** The abort of the turn in flight, once it is decided. */
  aborting: Promise<boolean> | undefined
}

export interface RunnerDeps extends OpenSessionDeps {
  /** `end`: writes what ends the task. */
  write(write: Write, end?: RunSignals['end']): Promise<WriteResult>
  /** Notes down that the turn of the checkpoint is aborted for good: it may be revived. */
  bury(record: TaskRecord, now: number): Promise<void>
  /** The log of a task so far, for a take-over. */
  readLog(id: string): Promise<TaskEvent[]>
  price: PriceOf
  /** Who watches the money of a task; `undefined`: nobody. */
  budgetOf(record: TaskRecord, limits: TaskLimits): TaskBudget | undefined
  defaultAgent: string
  /** The models this task may use by the table in force now, most wanted first; one for a pinned model. */
  modelsOf(record: TaskRecord): readonly ModelID[]
  limitsOf(record: TaskRecord): TaskLimits
  /** True: the model failed others just now. */
  isCooling(model: ModelID): boolean
  /** Keeps the model from others for a while; `retryAfterMs` is what its provider asked to wait. */
  cool(model: ModelID, retryAfterMs: number): Promise<void>
  /** What to call once a step of the model went well; `undefined`: nobody waits to hear of it. */
  probe(model: ModelID, taskID: string): Promise<(() => void) | undefined>
  /** How the asks of a task are answered. */
  asksOf(record: TaskRecord): AskDeps
  retry: RetryPolicy
  turns: TurnLimits
  /** Of all journals. */
  alarms: Alarms
  now(): number
}

/** What limits how many turns there may be at a time, and in a minute. */
export interface TurnLimits {
  /** Before each turn. At once `undefined` where nothing limits it; else why the task must wait, if it must. */
  begin(record: TaskRecord, model: ModelID): Promise<TurnWait | undefined> | undefined
  /** After each turn: what it has cost. */
  ended(record: TaskRecord, spendings: readonly Spending[]): void
  /** What the last write of the task lets go of. `undefined`: nothing. */
  leaving(record: TaskRecord): LetGo['limits']
}

/** A task that waits for its next turn holds no slot meanwhile. */
export interface TurnWait {
  waitingFor: WaitingFor
  wakeInMs: number
  /** True when it need not wait any more: asked once its delivery is put off. */
  isOpenNow(): Promise<boolean>
}

/** What ends a task or a turn of it that would go on for ever. */
export interface TaskLimits {
  /** Wall clock from the first start of the task. */
  timeoutMs: number
  /** From the submit, or the end of its delay, to the first start. */
  queueTimeoutMs: number
  /** Of the model, in one turn. */
  maxSteps: number
  /** Of the stream, while the model is to speak. */
  silenceMs: number
  /** From the first failure of a provider to the next step that goes well. */
  retryWaitMs: number
  /** All it may cost; absent: it has no limit of its own. */
  maxCostMicroUsd?: number | undefined
}

/** What becomes of the delivery. `stale`: another worker has the task; touch nothing. */
export type Disposition =
  | { status: 'finished'; state: 'succeeded' | 'failed' | 'cancelled'; error?: TaskFailure }
  | { status: 'backoff'; delayMs: number }
  | { status: 'parked'; wait: TurnWait }
  | { status: 'handed-over' }
  | { status: 'stale' }
