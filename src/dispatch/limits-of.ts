import type { TaskRecord } from '../records/task-record.ts'
import type { RoutingTable } from '../routing/table.ts'
import { maxCostOf, tableLimits } from '../routing/table-limits.ts'
import type { TaskLimits } from '../runner/task-run.ts'
import { recordFacts } from './record-facts.ts'

export interface LimitsConfig {
  table(): RoutingTable
  /** Of tasks whose route says nothing. */
  limits(): TaskLimits
}

/**
 * What limits a task, by the table in force now: its own limit beats that of the rule it matches, that the one of
 * its route, and that the general one. That of its time in the queue was decided when it was submitted.
 */
export function limitsOf(record: TaskRecord, config: LimitsConfig): TaskLimits {
  const { input, route, queueTimeoutMs } = record
  const said = tableLimits(route.requested.type, recordFacts(record), config.table())
  const general = config.limits()
  return {
    timeoutMs: input.timeoutMs ?? said.timeoutMs ?? general.timeoutMs,
    queueTimeoutMs: queueTimeoutMs ?? general.queueTimeoutMs,
    maxSteps: said.maxSteps ?? general.maxSteps,
    silenceMs: said.silenceMs ?? general.silenceMs,
    retryWaitMs: said.retryWaitMs ?? general.retryWaitMs,
    maxCostMicroUsd: maxCostOf(input, said),
  }
}
