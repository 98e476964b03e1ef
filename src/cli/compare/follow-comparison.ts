import type { TierlineClient } from '../../client/index.ts'
import type { TaskHandle } from '../../tasks/handle.ts'
import type { TasksView } from '../watch/tasks-view.ts'

/** A comparison has at most twenty. */
const MOST_CHILDREN = 200

/** Shows the tasks of a comparison side by side until it is over. `false`: stopped before that. */
export async function followComparison(
  client: TierlineClient,
  comparison: TaskHandle,
  view: TasksView,
  signal: AbortSignal,
): Promise<boolean> {
  const followed = new Map<string, Promise<void>>()
  for await (const item of comparison.events({ signal })) {
    // It has submitted its tasks; once more after a take-over or a retry.
    if (item.type === 'task-parked') await followChildren()
    if (item.type === 'end') {
      await Promise.all(followed.values())
      return true
    }
  }
  return false

  async function followChildren(): Promise<void> {
    const { data } = await client.list({ parentTaskID: comparison.id, limit: MOST_CHILDREN })
    for (const task of data.reverse()) {
      if (followed.has(task.id)) continue
      view.add(task.model, task)
      // One that cannot be followed any more stands still: the table has what became of it.
      followed.set(
        task.id,
        followChild(task.id).catch(() => {}),
      )
    }
  }

  async function followChild(id: string): Promise<void> {
    const handle = client.task(id)
    for await (const item of handle.events({ signal })) view.show(id, item)
    if (!signal.aborted) view.finish(await handle.result({ signal }))
  }
}
