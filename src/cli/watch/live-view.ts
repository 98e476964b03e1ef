import { createLogUpdate } from 'log-update'
import type { Terminal } from '../terminal.ts'
import { renderFinishedTask, renderTask } from './render-task.ts'
import type { TaskView } from './task-view.ts'
import type { View } from './view.ts'

/** Ten frames a second: smooth enough to read along, and nothing for a terminal. */
const FRAME_MS = 100

/** Draws the task over and over in the same place, and the whole of it at the end. */
export function createLiveView(terminal: Terminal, task: TaskView): View {
  const { colors } = terminal
  const screen = createLogUpdate(terminal.stdout)
  const draw = () => screen(renderTask(task, { ...terminal.size(), now: Date.now(), colors }))
  const timer = setInterval(draw, FRAME_MS)
  draw()
  return {
    show() {},
    close(finished) {
      clearInterval(timer)
      if (finished) {
        screen.clear()
        terminal.print(renderFinishedTask(task, { now: Date.now(), colors }))
      } else {
        draw()
      }
      screen.done()
    },
  }
}
