import type { PermissionRule } from '../../tasks/permissions.ts'

const NO_QUESTIONS: PermissionRule = { permission: 'question', pattern: '*', action: 'deny' }

/**
 * The rules a session is opened with, on top of what OpenCode and its user say. What those deny stays denied unless
 * a rule speaks of it: there is no `*: allow` here.
 *
 * Children inherit denials and rules on external directories only. So each `ask` comes after a `deny`, which the
 * session itself does not see, and a child may do nothing that would have to be asked.
 */
export function sessionRules(rules: readonly PermissionRule[]): PermissionRule[] {
  return [NO_QUESTIONS, ...rules.flatMap(withDenial)]
}

function withDenial(rule: PermissionRule): PermissionRule[] {
  // Somebody is always asked a question; and of what lies outside, a child's asks come to the same person.
  const asks = rule.action === 'ask' || (rule.permission === 'question' && rule.action === 'allow')
  if (!asks) return [rule]
  const asking: PermissionRule = { ...rule, action: 'ask' }
  if (rule.permission === 'external_directory') return [asking]
  return [{ ...rule, action: 'deny' }, asking]
}
