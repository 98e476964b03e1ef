/** `tierline/client`: tierline over HTTP, for Node and for browsers. */
export { type ErrorCode, type FieldError, isTierlineError, TierlineError } from '../errors.ts'
export type { Ask, AskAnswer } from '../tasks/ask.ts'
export type { BudgetView } from '../tasks/budget-view.ts'
export type { CompareInput } from '../tasks/compare-input.ts'
export type { Costs, CostsLine, CostsQuery } from '../tasks/costs.ts'
export type { StreamItem, TaskEvent } from '../tasks/event.ts'
export type { EnqueueResult, EventsOptions, ResultOptions, TaskHandle } from '../tasks/handle.ts'
export type { TaskInput } from '../tasks/input.ts'
export type { ListQuery, TaskPage } from '../tasks/list-query.ts'
export type { ComparisonRow, Task, TaskFailure, TaskOutcome, TaskResult } from '../tasks/task.ts'
export type { Usage } from '../tasks/usage.ts'
export type {
  Explanation,
  ModelView,
  Readiness,
  RoutesView,
  TierView,
  VersionView,
} from '../tasks/views.ts'
export { type ClientOptions, createClient, type TierlineClient } from './create-client.ts'
