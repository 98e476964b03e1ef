import type { StreamItem } from '../../tasks/event.ts'

/** One way to show a task while somebody waits. */
export interface View {
  /** After the event was applied to the task's view. */
  show(item: StreamItem): void
  /** Stops drawing; what is on the screen stays. `finished`: there is an outcome to show. */
  close(finished: boolean): void
}
