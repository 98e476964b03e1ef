import { z } from 'zod'
import { Name } from './input.ts'
import { Problem } from './problem.ts'
import { TASK_STATES } from './state.ts'
import { Task } from './task.ts'
import { TaskID } from './task-id.ts'

export const MAX_PAGE = 200
export const MAX_BATCH = 1000

/** Filters of `GET /v1/tasks`; all that are given must hold. `metadata` comes as `metadata.KEY=VALUE`. */
export const ListQuery = z.strictObject({
  state: z.enum(TASK_STATES).optional(),
  type: Name.optional(),
  tier: Name.optional(),
  model: z.string().min(1).max(512).optional(),
  parentTaskID: TaskID.optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  /** Created at or after, epoch milliseconds. */
  since: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
  /** `nextCursor` of the page before. */
  cursor: TaskID.optional(),
})
export type ListQuery = z.output<typeof ListQuery>

/** Filters of `GET /v1/tasks/:id/children`. */
export const ChildrenQuery = ListQuery.pick({ state: true, limit: true, cursor: true })
export type ChildrenQuery = z.output<typeof ChildrenQuery>

/**
 * Newest first. With filters a page may hold fewer than `limit` tasks, or none, and still have a
 * `nextCursor`: a request reads a bounded number of records.
 */
export const TaskPage = z.object({ data: z.array(Task), nextCursor: z.string().nullable() })
export type TaskPage = z.infer<typeof TaskPage>

export const BatchInput = z.strictObject({ tasks: z.array(z.unknown()).min(1).max(MAX_BATCH) })

/** One answer per task, in order; those that are refused do not keep the others out. */
export const BatchItem = z.union([
  z.object({ status: z.literal([200, 202]), task: Task }),
  z.object({ status: z.int().min(400), problem: Problem }),
])
export type BatchItem = z.infer<typeof BatchItem>
export const BatchResult = z.object({ data: z.array(BatchItem) })
