import { textOf } from '../stream/text-of.ts'
import type { TaskHandle } from '../tasks/handle.ts'
import type { Task } from '../tasks/task.ts'
import type { Api } from './api.ts'
import { type ReaderOptions, readEvents } from './read-events.ts'
import { taskPath } from './task-path.ts'
import { waitForResult } from './wait-for-result.ts'

/** The handle of a task over HTTP. Nothing is asked before one of its functions is called. */
export function createHandle(api: Api, id: string, reader: ReaderOptions): TaskHandle {
  const path = taskPath(id)
  const events: TaskHandle['events'] = (options = {}) =>
    readEvents(api, `${path}/events`, { ...options, ...reader })
  return {
    id,
    events,
    text: (options) => textOf(events(options)),
    result: (options = {}) =>
      waitForResult(api, `${path}/result`, { ...options, patienceMs: reader.patienceMs }),
    task: () => api.json<Task>(path),
    cancel: () => api.json<Task>(`${path}/cancel`, { method: 'post', repeat: 'refused' }),
  }
}
