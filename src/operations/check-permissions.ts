import { TierlineError } from '../errors.ts'
import type { ParsedTaskInput } from '../tasks/input.ts'
import { contradictions, type PermissionRule } from '../tasks/permissions.ts'

/**
 * Refuses permissions that would not hold: those that the configuration keeps to itself, and those of a task in a
 * session that somebody else has opened.
 *
 * @throws {TierlineError} `invalid_input`.
 */
export function checkPermissions(input: ParsedTaskInput, configured: readonly PermissionRule[]): void {
  const { permissions, sessionID } = input
  if (permissions === undefined) return
  if (sessionID !== undefined)
    throw refusal('permissions', 'contradicts "sessionID": a session has the rules it was opened with')
  const [name] = contradictions(configured, permissions)
  if (name === undefined) return
  throw refusal(
    `permissions.${name}`,
    'must be "deny" or left out: the configuration denies something of it, which a task cannot change',
    permissions[name],
  )
}

function refusal(field: string, message: string, given?: unknown): TierlineError {
  return new TierlineError('invalid_input', `Cannot accept the task: "${field}" ${message}`, {
    errors: [{ field, message, ...(given !== undefined && { given }) }],
  })
}
