/** Shows several tasks at once while they run. */
import { createLogUpdate } from 'log-update'
import type { StreamItem } from '../../tasks/event.ts'
import type { Task, TaskOutcome } from '../../tasks/task.ts'
import type { Terminal } from '../terminal.ts'
import { lineOf, renderRows, type TaskRow } from './render-rows.ts'
import { applyItem, applyOutcome, createTaskView } from './task-view.ts'

const FRAME_MS = 100

export interface TasksView {
  /** A task more, in the order of the rows. `label` is what it is about, in a few words. */
  add(label: string, task: Task): void
  /** An event of one of them. */
  show(id: string, item: StreamItem): void
  /** Its exact numbers, once it is over. */
  finish(outcome: TaskOutcome): void
  /** Stops drawing; the last frame stays. */
  close(): void
}

/** A table that moves in a terminal; where nobody looks, a line on stderr for each task that starts or ends. */
export function createTasksView(terminal: Terminal): TasksView {
  const rows = new Map<string, TaskRow>()
  const startedAt = Date.now()
  const screen = terminal.live ? createLogUpdate(terminal.stdout) : undefined
  const draw = () => {
    if (screen === undefined || rows.size === 0) return
    const frame = { ...terminal.size(), now: Date.now(), startedAt, colors: terminal.colors }
    screen(renderRows([...rows.values()], frame))
  }
  const timer = screen && setInterval(draw, FRAME_MS)

  return {
    add(label, task) {
      rows.set(task.id, { label, view: createTaskView(task) })
    },
    show(id, item) {
      const row = rows.get(id)
      if (row === undefined) return
      applyItem(row.view, item)
      if (screen === undefined && item.type === 'attempt-started') terminal.note(lineOf(row, Date.now()))
    },
    finish(outcome) {
      const row = rows.get(outcome.id)
      if (row === undefined) return
      applyOutcome(row.view, outcome)
      if (screen === undefined) terminal.note(lineOf(row, Date.now()))
    },
    close() {
      clearInterval(timer)
      draw()
      screen?.done()
    },
  }
}
