/** The states of a task and the ways between them, as data. docs/architecture.md draws this. */

export const TASK_STATES = ['waiting', 'delayed', 'running', 'succeeded', 'failed', 'cancelled'] as const
export type TaskState = (typeof TASK_STATES)[number]

/**
 * From a state to those that may follow it. `running → waiting` is a hand-over at shutdown,
 * `running → delayed` a backoff, and out of a terminal state leads only `retry`.
 */
export const TRANSITIONS = {
  waiting: ['running', 'failed', 'cancelled'],
  delayed: ['waiting', 'running', 'failed', 'cancelled'],
  running: ['waiting', 'delayed', 'running', 'succeeded', 'failed', 'cancelled'],
  succeeded: ['waiting'],
  failed: ['waiting'],
  cancelled: ['waiting'],
} as const satisfies Record<TaskState, readonly TaskState[]>

const TERMINAL: ReadonlySet<TaskState> = new Set(['succeeded', 'failed', 'cancelled'])

/** True when nothing but a retry can change the task any more. */
export function isTerminal(state: TaskState): boolean {
  return TERMINAL.has(state)
}

/** True when a task in `from` may come to be in `to`. */
export function canTransition(from: TaskState, to: TaskState): boolean {
  return (TRANSITIONS[from] as readonly TaskState[]).includes(to)
}
