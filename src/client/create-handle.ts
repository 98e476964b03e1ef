import { textOf } from '../stream/text-of.ts'
import { whenChildrenFinish } from '../stream/when-children-finish.ts'
import type { ResultOptions, TaskHandle } from '../tasks/handle.ts'
import type { TaskPage } from '../tasks/list-query.ts'
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
  const result = (id: string, options: ResultOptions = {}) =>
    waitForResult(api, `${taskPath(id)}/result`, { ...options, patienceMs: reader.patienceMs })
  return {
    id,
    events,
    text: (options) => textOf(events(options)),
    result: (options) => result(id, options),
    children: (options) =>
      whenChildrenFinish(
        {
          list: (cursor) => api.json<TaskPage>(`${path}/children`, { query: pageParams(cursor) }),
          wait: result,
        },
        options,
      ),
    task: () => api.json<Task>(path),
    cancel: () => api.json<Task>(`${path}/cancel`, { method: 'post', repeat: 'refused' }),
  }
}

/** The longest page there is: all children are wanted. */
function pageParams(cursor: string | undefined): URLSearchParams {
  return new URLSearchParams({ limit: '200', ...(cursor !== undefined && { cursor }) })
}
