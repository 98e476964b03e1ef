/**
 * What an agent may do without a person: `allow`, `deny` or `ask`, by permission and pattern, as in
 * `opencode.json`. Pure.
 */
import { z } from 'zod'

export const PermissionAction = z.enum(['allow', 'deny', 'ask'])
export type PermissionAction = z.infer<typeof PermissionAction>

/** `bash`, `edit`, `question`, the tool of an MCP server; `*` stands for anything. */
const PermissionName = z
  .string()
  .regex(/^[\w*?.-]{1,128}$/, 'must be the name of a permission, such as "bash", or "*"')

/** `git push *`: what is to be done, with `*` for anything and `?` for one character. */
const Pattern = z.string().min(1).max(1024)

const MAX_RULES = 100

/** In the order in which they stand: the last rule that fits decides. */
export const Permissions = z
  .record(PermissionName, z.union([PermissionAction, z.record(Pattern, PermissionAction)]))
  .refine((permissions) => rulesOf(permissions).length <= MAX_RULES, `must have at most ${MAX_RULES} rules`)
export type Permissions = Readonly<
  Record<string, PermissionAction | Readonly<Record<string, PermissionAction>>>
>

export interface PermissionRule {
  permission: string
  pattern: string
  action: PermissionAction
}

/** `{ bash: { 'git *': 'allow' }, edit: 'deny' }` as a list. */
export function rulesOf(permissions: Permissions): PermissionRule[] {
  return Object.entries(permissions).flatMap(([permission, rule]) =>
    typeof rule === 'string'
      ? [{ permission, pattern: '*', action: rule }]
      : Object.entries(rule).map(([pattern, action]) => ({ permission, pattern, action })),
  )
}

/**
 * What the rules say to all of `patterns` together: denied when one is, asked when one is or no rule fits one.
 * `undefined`: no rule fits any of them.
 */
export function actionFor(
  rules: readonly PermissionRule[],
  permission: string,
  patterns: readonly string[],
): PermissionAction | undefined {
  const found = (patterns.length === 0 ? ['*'] : patterns).map(
    (pattern) =>
      rules.findLast((rule) => fits(rule.permission, permission) && fits(rule.pattern, pattern))?.action,
  )
  if (found.includes('deny')) return 'deny'
  if (found.every((action) => action === undefined)) return undefined
  return found.every((action) => action === 'allow') ? 'allow' : 'ask'
}

/**
 * The permissions of `wanted` that it may not speak of, since `held` denies something of them. A plain `deny`
 * takes nothing away from anybody and is always fine.
 */
export function contradictions(held: readonly PermissionRule[], wanted: Permissions): string[] {
  const denied = held.filter(({ action }) => action === 'deny').map(({ permission }) => permission)
  return Object.entries(wanted)
    .filter(
      ([name, rule]) => rule !== 'deny' && denied.some((other) => fits(other, name) || fits(name, other)),
    )
    .map(([name]) => name)
}

/** `git *` fits `git push` and `git`; as OpenCode does it, `*` also goes over `/`. */
export function fits(pattern: string, text: string): boolean {
  if (isLike(pattern, text)) return true
  const bare = pattern.replace(/ \*+$/, '')
  return bare !== pattern && isLike(bare, text)
}

/** By hand: anybody may write a pattern for which a regular expression would take years. Goes back to the last `*` only. */
function isLike(pattern: string, text: string): boolean {
  let at = 0
  let place = 0
  let star = -1
  let placeOfStar = 0
  while (place < text.length) {
    const sign = pattern[at]
    if (sign === '*') {
      star = at++
      placeOfStar = place
    } else if (sign === '?' || sign === text[place]) {
      at += 1
      place += 1
    } else if (star !== -1) {
      at = star + 1
      placeOfStar += 1
      place = placeOfStar
    } else return false
  }
  while (pattern[at] === '*') at += 1
  return at === pattern.length
}
