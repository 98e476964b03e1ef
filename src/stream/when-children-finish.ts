import { isTierlineError } from '../errors.ts'
import type { ResultOptions } from '../tasks/handle.ts'
import type { TaskPage } from '../tasks/list-query.ts'
import { isTerminal } from '../tasks/state.ts'
import type { Task } from '../tasks/task.ts'

export interface ChildrenPort {
  /** One page of the children, newest first. */
  list(cursor: string | undefined): Promise<TaskPage>
  /** Resolves when a task is over. @throws {TierlineError} `not_finished` after `timeoutMs`. */
  wait(id: string, options: ResultOptions): Promise<unknown>
}

/**
 * The children of a task once all of them are over, oldest first; those that are added meanwhile, too.
 *
 * One after the other: the last to end decides anyhow, and only one is listened to at a time.
 */
export async function whenChildrenFinish(
  { list, wait }: ChildrenPort,
  { timeoutMs = Number.POSITIVE_INFINITY, signal }: ResultOptions = {},
): Promise<Task[]> {
  const deadline = performance.now() + timeoutMs
  while (true) {
    const children = await readAll(list)
    const live = children.filter(({ state }) => !isTerminal(state))
    if (live.length === 0) return children
    for (const { id } of live) {
      const left = Math.max(0, deadline - performance.now())
      await wait(id, { timeoutMs: left, ...(signal && { signal }) }).catch(unlessDeleted)
    }
  }
}

/** It was over then, and somebody has deleted it while another was waited for. */
function unlessDeleted(error: unknown): void {
  if (!isTierlineError(error, 'task_not_found')) throw error
}

async function readAll(list: ChildrenPort['list']): Promise<Task[]> {
  const children: Task[] = []
  let cursor: string | undefined
  do {
    const page = await list(cursor)
    children.push(...page.data)
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  return children.reverse()
}
