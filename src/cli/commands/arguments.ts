/** How the values of flags are read; commander shows the errors. */
import { InvalidArgumentError } from 'commander'
import type { PermissionAction, Permissions } from '../../tasks/permissions.ts'
import { parseDurationMs } from '../format/duration.ts'

/** `30s` → 30,000. */
export function durationArgument(text: string): number {
  const durationMs = parseDurationMs(text)
  if (durationMs === undefined)
    throw new InvalidArgumentError('It must be a length of time: 500ms, 30s, 5m, 2h, 1d.')
  return durationMs
}

/** `2026-11-01` (UTC) or `7d` (that long ago), in epoch milliseconds. */
export function momentArgument(text: string): number {
  const at = /^\d{4}-\d{2}-\d{2}(T|$)/.test(text)
    ? Date.parse(text)
    : Date.now() - (parseDurationMs(text) ?? Number.NaN)
  if (!(at >= 0))
    throw new InvalidArgumentError('It must be a date, 2026-11-01, or a length of time before now: 7d, 12h.')
  return at
}

export function numberArgument(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

/** Of what there must be some. */
export function countArgument(text: string): number {
  const count = numberArgument(text)
  if (count === 0) throw new InvalidArgumentError('It must be 1 or more.')
  return count
}

/** `0.50` and `$0.50` → 0.5. */
export function usdArgument(text: string): number {
  const usd = Number(text.replace(/^\$/, ''))
  if (!/\d/.test(text) || !Number.isFinite(usd) || usd <= 0)
    throw new InvalidArgumentError('It must be an amount of US dollars above 0: 0.50.')
  return usd
}

/** `bash=ask`, `bash:git push *=deny`, more than once; in the order in which they are given. */
export function collectPermissions(text: string, before: Permissions = {}): Permissions {
  const [, permission, pattern = '*', action] = /^([^:=]+)(?::(.+))?=(allow|deny|ask)$/.exec(text) ?? []
  if (permission === undefined)
    throw new InvalidArgumentError(
      'It must be name=action or "name:pattern=action", with allow, deny or ask.',
    )
  const known = before[permission] ?? {}
  const rules = typeof known === 'string' ? { '*': known } : known
  return { ...before, [permission]: { ...rules, [pattern]: action as PermissionAction } }
}

/** `team=core`, more than once. */
export function collectMetadata(pair: string, before: Record<string, string> = {}): Record<string, string> {
  const equals = pair.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('It must be key=value.')
  return { ...before, [pair.slice(0, equals)]: pair.slice(equals + 1) }
}

/** A flag that may stand more than once. */
export function collectTexts(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}

/** `fast,balanced` → `['fast', 'balanced']`. */
export function listArgument(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.includes('')) throw new InvalidArgumentError('It must be names separated by commas.')
  return names
}
