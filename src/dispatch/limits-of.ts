import type { TaskRecord } from '../records/task-record.ts'
import type { RoutingTable } from '../routing/table.ts'
import type { TaskLimits } from '../runner/task-run.ts'

export interface LimitsConfig {
  table(): RoutingTable
  /** Of tasks whose route says nothing. */
  limits(): TaskLimits
}

/**
 * What limits a task, by the table in force now: its own limit beats that of its route, and that the general one.
 * That of its time in the queue was decided when it was submitted.
 */
export function limitsOf({ input, type, queueTimeoutMs }: TaskRecord, config: LimitsConfig): TaskLimits {
  const rule = type === null ? undefined : config.table().routes.get(type)
  const general = config.limits()
  return {
    timeoutMs: input.timeoutMs ?? rule?.timeoutMs ?? general.timeoutMs,
    queueTimeoutMs: queueTimeoutMs ?? general.queueTimeoutMs,
    maxSteps: rule?.maxSteps ?? general.maxSteps,
    silenceMs: rule?.silenceMs ?? general.silenceMs,
    retryWaitMs: rule?.retryWaitMs ?? general.retryWaitMs,
  }
}
