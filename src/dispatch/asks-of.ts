/** What the agent of a task may do by the configuration in force now, and how its asks are answered. */
import type { AskStore } from '../records/ask-store.ts'
import type { TaskRecord } from '../records/task-record.ts'
import { configuredRules, rulesForTask } from '../routing/permission-policy.ts'
import type { RoutingTable } from '../routing/table.ts'
import { tableLimits } from '../routing/table-limits.ts'
import type { AskDeps } from '../runner/ask-desk.ts'
import type { PermissionRule, Permissions } from '../tasks/permissions.ts'
import { recordFacts } from './record-facts.ts'

export interface AskConfig {
  table(): RoutingTable
  limits(): { askTimeoutMs: number; permissions: Permissions }
}

/** What OpenCode itself asks for, unless its user or a policy says otherwise. */
const UNASKED: readonly PermissionRule[] = ['external_directory', 'doom_loop', 'read'].map((permission) => ({
  permission,
  pattern: '*',
  action: 'allow',
}))

/** The rules of a task, in the order in which they count. */
export function policyOf(record: TaskRecord, config: AskConfig): readonly PermissionRule[] {
  const { permissions } = config.limits()
  const { type } = record.route.requested
  return rulesForTask(
    configuredRules(permissions, config.table(), type, recordFacts(record)),
    record.input.permissions,
  )
}

export function asksOf(
  record: TaskRecord,
  config: AskConfig,
  { decide, decisions }: AskStore,
  now: () => number,
): AskDeps {
  const { input, route } = record
  return {
    policy() {
      const said = tableLimits(route.requested.type, recordFacts(record), config.table())
      const rules = policyOf(record, config)
      return {
        // A session that somebody else has opened asks whom it likes.
        rules: input.sessionID === undefined ? [...UNASKED, ...rules] : rules,
        timeoutMs: said.askTimeoutMs ?? config.limits().askTimeoutMs,
      }
    },
    decide,
    decisions,
    now,
  }
}
