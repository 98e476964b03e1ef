import { isBelow } from './rules.ts'
import type { RuleConditions } from './table.ts'

/** True when whatever fits `narrow` fits `wide` too, so that after `wide` it is never asked. */
export function covers(wide: RuleConditions, narrow: RuleConditions): boolean {
  return (
    allOf(narrow.types, wide.types, (type, other) => type === other) &&
    allOf(narrow.keys, wide.keys, (key, other) => key === other) &&
    allOf(narrow.directories, wide.directories, isBelow) &&
    holdsLengths(wide, narrow)
  )
}

/** Every one of `narrow` has one in `wide`; `undefined` is all there are. */
function allOf(
  narrow: readonly string[] | undefined,
  wide: readonly string[] | undefined,
  isWithin: (one: string, other: string) => boolean,
): boolean {
  if (wide === undefined) return true
  return narrow?.every((one) => wide.some((other) => isWithin(one, other))) ?? false
}

function holdsLengths(
  { promptTokens: wide = {} }: RuleConditions,
  { promptTokens: narrow = {} }: RuleConditions,
) {
  const [least, most] = [wide.over ?? -1, wide.atMost ?? Number.POSITIVE_INFINITY]
  return (narrow.over ?? -1) >= least && (narrow.atMost ?? Number.POSITIVE_INFINITY) <= most
}
