/**
 * What a task must pass before it may start: the turn of its session, a limit, a cooldown, a budget.
 *
 * A gate that refuses remembers the task; its delivery is put off, not lost, and no worker holds a slot for it
 * (docs/architecture.md "Waiting"). A task that needs no gate asks none and pays nothing.
 */
import type { TaskRecord } from '../records/task-record.ts'
import type { Route } from '../tasks/route.ts'
import type { TaskFailure, WaitingFor } from '../tasks/task.ts'

export interface Gate {
  readonly reason: WaitingFor['reason']

  /**
   * When a task that was let through lets go: `run`, each time its worker is done with it (a backoff too);
   * `task`, when it is over, so that nobody comes in between two runs.
   */
  readonly heldFor: 'run' | 'task'

  /** The last write of a run leaves it, in the same step. */
  readonly isLeftWithLastWrite?: boolean

  /**
   * Asks to be let through, and remembers who is not, in the order of submit, in one atomic step. Once
   * through, asking again says so again: a take-over asks too.
   */
  enter(task: TaskRecord): Promise<Entry | Refused | Moved>

  /** Lets go, or waits no longer, and wakes who may try then; safe when it did neither. */
  leave(taskID: string): Promise<void>

  /**
   * True when the task may try now, as far as one can tell: asked once its delivery is put off, since a wake
   * that came a moment before found nothing to wake.
   */
  isOpenTo(taskID: string): Promise<boolean>
}

export type Entry = { status: 'open' } | Shut

export interface Shut {
  status: 'shut'
  /** Default: that of the gate. */
  reason?: WaitingFor['reason']
  /** For people: `2 before it`, `acme/big: 2 of 2 running`. */
  detail: string
  /** When it is known to open; `null`: when somebody leaves. Epoch ms. */
  until: number | null
  /** Wakes the task should all other wakes be lost. */
  wakeInMs: number
}

/** It is never let through: the task ends with this error. */
export interface Refused {
  status: 'refused'
  error: TaskFailure
}

/** It is to try on another route. */
export interface Moved {
  status: 'moved'
  route: Route
  /** For people: why. */
  reason: string
}
