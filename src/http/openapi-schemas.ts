/** The schemas that have a name of their own in OpenAPI. */
import { z } from 'zod'
import { Ask } from '../tasks/ask.ts'
import { CompareInput } from '../tasks/compare-input.ts'
import { Costs, CostsLine, CostsTotal } from '../tasks/costs.ts'
import { TaskEventSchema } from '../tasks/event.ts'
import { MessageInput, TaskInput } from '../tasks/input.ts'
import { BatchItem, TaskPage } from '../tasks/list-query.ts'
import { Problem } from '../tasks/problem.ts'
import { Route } from '../tasks/route.ts'
import { MessageBody, SessionBody } from '../tasks/session-input.ts'
import {
  ComparisonRow,
  MessageResult,
  Task,
  TaskFailure,
  TaskOutcome,
  TaskResult,
  WaitingFor,
} from '../tasks/task.ts'
import { Usage } from '../tasks/usage.ts'
import { Explanation, ModelView, Readiness, RoutesView, TierView, VersionView } from '../tasks/views.ts'

export const TaskEventComponent = TaskEventSchema

/** Not zod's global registry: what is named here concerns OpenAPI alone. */
export const COMPONENTS = z.registry<{ id: string }>()

const NAMED = {
  NewTask: TaskInput,
  NewMessage: MessageInput,
  NewComparison: CompareInput,
  NewSession: SessionBody,
  NewSessionMessage: MessageBody,
  ComparisonRow,
  Task,
  TaskResult,
  MessageResult,
  TaskFailure,
  TaskOutcome,
  TaskPage,
  BatchItem,
  TaskEvent: TaskEventSchema,
  WaitingFor,
  Ask,
  Usage,
  Costs,
  CostsLine,
  CostsTotal,
  Route,
  RoutesView,
  TierView,
  ModelView,
  Explanation,
  Readiness,
  VersionView,
  Problem,
}

for (const [id, schema] of Object.entries(NAMED)) COMPONENTS.add(schema, { id })
