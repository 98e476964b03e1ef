/** What the gate of the budgets and the run of a task have in common: who pays, and for how much. */
import type { BudgetStore, HoldRequest } from '../budget/budget-store.ts'
import { type Spender, sharesOf } from '../budget/budgets-of.ts'
import { holdFor, promptTokens, type StepEstimate } from '../budget/estimate.ts'
import { type Funding, fundingOf } from '../budget/funding.ts'
import type { CatalogSnapshot } from '../catalog/catalog.ts'
import type { CatalogCache } from '../catalog/catalog-cache.ts'
import { addSpent, type Spent, totalOf } from '../ledger/spent.ts'
import type { TaskRecord } from '../records/task-record.ts'
import type { RoutingTable } from '../routing/table.ts'
import type { ModelID } from '../tasks/model-id.ts'

export interface HeldFunds {
  /** It holds for steps of this one. */
  model: ModelID
  wantMicroUsd: number
}

export interface TaskFundsDeps {
  store: BudgetStore
  /** What tasks of this process hold. */
  held: Map<string, HeldFunds>
  config: { table(): RoutingTable }
  catalog: CatalogCache
}

/** What a task has cost so far, estimates included; its book keeps the record up to date. */
export function spentOf(record: TaskRecord): number {
  const { costMicroUsd, costEstimatedMicroUsd } = totalOf(spentLines(record))
  return costMicroUsd + costEstimatedMicroUsd
}

function spentLines({ spent, turnSpent }: TaskRecord): Spent {
  return addSpent(spent, turnSpent)
}

/** What is left of the task's own limit; `undefined`: it has none. A retry by its producer begins anew. */
export function capLeftOf(record: TaskRecord, cap: number | undefined): number | undefined {
  return cap === undefined ? undefined : cap + record.costBeforeRetry - spentOf(record)
}

export function spenderOf({ type, tier, key }: TaskRecord, model: ModelID): Spender {
  return { type, tier, model, key }
}

/** `inputTokens`: of the next step, where the last one has told; else it is guessed. */
export function fundsOf(
  record: TaskRecord,
  model: ModelID,
  cap: number | undefined,
  table: RoutingTable,
  catalog: CatalogSnapshot,
  inputTokens: number = nextInputTokens(record),
): Funding {
  return fundingOf(spenderOf(record, model), { inputTokens, isCapped: cap !== undefined }, table, catalog)
}

/** What the budgets of a task are asked for its next steps on this model. */
export function holdRequestOf(
  record: TaskRecord,
  model: ModelID,
  cap: number | undefined,
  estimate: StepEstimate,
  table: RoutingTable,
): HoldRequest {
  const { id, fence } = record
  const hold = holdFor(estimate, capLeftOf(record, cap))
  const shares = sharesOf(table.budgets, spenderOf(record, model), spentLines(record))
  return { taskID: id, fence, shares, ...hold }
}

/** What is to be told of a task that is about to hold nothing any more. */
export function remainderOf(
  record: TaskRecord,
  table: RoutingTable,
): Pick<HoldRequest, 'taskID' | 'fence' | 'shares'> {
  const spender = spenderOf(record, record.checkpoint?.model ?? record.model)
  return {
    taskID: record.id,
    fence: record.fence,
    shares: sharesOf(table.budgets, spender, spentLines(record)),
  }
}

/** What the session keeps of earlier messages is sent again with each. */
function nextInputTokens({ input, done }: TaskRecord): number {
  const last = done.at(-1)?.usage
  if (last === undefined) return promptTokens(input)
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens } = last
  return Math.max(promptTokens(input), inputTokens + cacheReadTokens + cacheWriteTokens + outputTokens)
}
