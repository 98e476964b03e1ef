import { TierlineError } from '../errors.ts'
import { textOf } from '../stream/text-of.ts'
import { whenChildrenFinish } from '../stream/when-children-finish.ts'
import type { StreamItem } from '../tasks/event.ts'
import type { EventsOptions, ResultOptions, TaskHandle } from '../tasks/handle.ts'
import { type ChildrenQuery, MAX_PAGE, type TaskPage } from '../tasks/list-query.ts'
import { isTerminal } from '../tasks/state.ts'
import { outcomeOf, type Task, type TaskOutcome } from '../tasks/task.ts'

/** What a handle needs; the HTTP server's `TaskPort` has it too. */
export interface HandleDeps {
  get(id: string): Promise<Task>
  whenFinished(id: string, waitMs: number, signal: AbortSignal): Promise<Task>
  events(id: string, options: { after: number; signal: AbortSignal }): AsyncIterable<StreamItem>
  children(id: string, query: ChildrenQuery): Promise<TaskPage>
  cancel(id: string): Promise<Task>
}

const NEVER = new AbortController().signal

/** The library's handle on one task. Opens nothing. */
export function createTaskHandle(deps: HandleDeps, id: string): TaskHandle {
  const events = ({ after = 0, signal = NEVER }: EventsOptions = {}) => deps.events(id, { after, signal })
  async function result(
    id: string,
    { timeoutMs = Number.POSITIVE_INFINITY, signal = NEVER }: ResultOptions = {},
  ): Promise<TaskOutcome> {
    const task = await deps.whenFinished(id, timeoutMs, signal)
    if (isTerminal(task.state)) return outcomeOf(task)
    signal.throwIfAborted()
    throw new TierlineError(
      'not_finished',
      `Cannot give the result of task "${id}": after ${Math.round(timeoutMs)} ms it is ${task.state}; it goes on`,
    )
  }

  return {
    id,
    events,
    text: (options) => textOf(events(options)),
    task: () => deps.get(id),
    cancel: () => deps.cancel(id),
    result: (options) => result(id, options),
    children: (options) =>
      whenChildrenFinish(
        {
          list: (cursor) => deps.children(id, { limit: MAX_PAGE, ...(cursor && { cursor }) }),
          wait: result,
        },
        options,
      ),
  }
}
