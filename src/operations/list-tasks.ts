import type { RecordStore } from '../records/record-store.ts'
import { viewTask } from '../records/task-record.ts'
import { modelOf } from '../tasks/comparison-route.ts'
import type { ListQuery, TaskPage } from '../tasks/list-query.ts'
import type { TaskState } from '../tasks/state.ts'
import type { Task } from '../tasks/task.ts'

/** Records one request may read, so that a rare filter on a long list stays cheap. */
const MOST_READ = 2_000
const CHUNK = 200

/** Newest first. Two round trips per 200 records looked at. */
export async function listTasks(records: RecordStore, query: ListQuery, now: number): Promise<TaskPage> {
  const data: Task[] = []
  let cursor = query.cursor
  for (let read = 0; read < MOST_READ; ) {
    const ids = await records.ids(statesOf(query.state), cursor, CHUNK, query.parentTaskID)
    for (const found of await records.readMany(ids)) {
      read += 1
      if (found === undefined) continue
      const task = viewTask(found, now)
      if (query.since !== undefined && task.createdAt < query.since) return { data, nextCursor: null }
      if (matches(task, query)) data.push(task)
      cursor = task.id
      if (data.length === query.limit)
        return { data, nextCursor: ids.at(-1) === cursor && ids.length < CHUNK ? null : cursor }
    }
    if (ids.length < CHUNK) return { data, nextCursor: null }
    cursor = ids.at(-1)!
  }
  return { data, nextCursor: cursor ?? null }
}

/** A delayed task is shown as waiting once its time has come, so both sets are looked through. */
function statesOf(state: TaskState | undefined): TaskState[] | undefined {
  if (state === undefined) return undefined
  return state === 'waiting' ? ['waiting', 'delayed'] : [state]
}

function matches(task: Task, { state, type, tier, model, parentTaskID, metadata }: ListQuery): boolean {
  return (
    (state === undefined || task.state === state) &&
    (type === undefined || task.type === type) &&
    (tier === undefined || task.tier === tier) &&
    (model === undefined || modelOf(task.model, task.route) === model) &&
    (parentTaskID === undefined || task.parentTaskID === parentTaskID) &&
    Object.entries(metadata ?? {}).every(
      ([key, value]) => Object.hasOwn(task.metadata, key) && String(task.metadata[key]) === value,
    )
  )
}
