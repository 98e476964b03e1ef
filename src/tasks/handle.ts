/** What `enqueue()` gives: the same over HTTP (`tierline/client`) as in the library. */
import type { TierlineError } from '../errors.ts'
import type { StreamItem } from './event.ts'
import type { Task, TaskOutcome } from './task.ts'

export interface EventsOptions {
  /** Sequence number of the last event already seen; the first one given has the next. Default 0: all. */
  after?: number
  /** Stops the iteration without an error. */
  signal?: AbortSignal
}

export interface ResultOptions {
  /** Most to wait, in milliseconds. Default: as long as it takes; every task has a limit of its own. */
  timeoutMs?: number
  /** Stops the waiting, not the task: the promise rejects with the signal's reason. */
  signal?: AbortSignal
}

/** One task that is queued. It lives on when the handle is dropped. */
export interface TaskHandle {
  readonly id: string

  /**
   * All that happens to the task, in order, without a gap and without a repeat; the last item is `end`.
   *
   * Resumable: keep the `seq` of the last event and pass it as `after`. Each call reads anew.
   * @throws {TierlineError} `task_not_found`, `log_expired`.
   */
  events(options?: EventsOptions): AsyncIterable<StreamItem>

  /**
   * The text of the answers as it comes, all messages in a row, without reasoning.
   *
   * What a `text-discarded` event withdraws was given already: where that matters read `events()` or `result()`.
   */
  text(options?: EventsOptions): AsyncIterable<string>

  /**
   * What became of the task, however it ended: a failure is an outcome too, look at `state`.
   *
   * @throws {TierlineError} `not_finished` when `timeoutMs` is over, `task_not_found`.
   */
  result(options?: ResultOptions): Promise<TaskOutcome>

  /**
   * The tasks that were submitted with this one as their `parentTaskID`, once all of them are over, oldest
   * first. Whatever became of them: look at each `state`. Without children it gives none at once.
   *
   * @throws {TierlineError} `not_finished` when `timeoutMs` is over, `task_not_found`.
   */
  children(options?: ResultOptions): Promise<Task[]>

  /** The task as it is now. @throws {TierlineError} `task_not_found`. */
  task(): Promise<Task>

  /**
   * Stops it, waiting or running, with all tasks below it; a finished task is given back as it is.
   *
   * @throws {TierlineError} `task_not_found`.
   */
  cancel(): Promise<Task>
}

/** What became of one of several inputs; a refused one keeps no other out. */
export type EnqueueResult =
  | { status: 'accepted'; handle: TaskHandle }
  | { status: 'refused'; error: TierlineError }
