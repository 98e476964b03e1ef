import type { Colors } from '../terminal.ts'
import type { TaskView } from './task-view.ts'

/** The state of a task in one word, with what it does just now. */
export function stateWord({ state, thinking }: Pick<TaskView, 'state' | 'thinking'>): string {
  return state === 'running' && thinking ? 'thinking' : state
}

/** How a state is drawn: what runs stands out, what ended badly more. */
export function stateColor({ state }: Pick<TaskView, 'state'>, colors: Colors): (text: string) => string {
  return {
    waiting: colors.dim,
    delayed: colors.yellow,
    running: colors.cyan,
    succeeded: colors.green,
    failed: colors.red,
    cancelled: colors.yellow,
  }[state]
}
