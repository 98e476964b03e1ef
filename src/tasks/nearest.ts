import { distance } from 'fastest-levenshtein'

const MAX_NAMES = 5
/** Names are short; what is longer is rubbish, and comparing it whole would cost time. */
const MAX_COMPARED_CHARS = 80

/**
 * The names that look most like `given`, nearest first, at most five.
 *
 * Also finds a part of a name, and a model without its provider: `claude-haiku` → `anthropic/claude-haiku-4-5`.
 */
export function nearestNames(given: string, names: Iterable<string>): string[] {
  const wanted = normalized(given)
  const wantedModel = withoutProvider(wanted)
  const scored = [...names].map((name) => {
    const candidate = normalized(name)
    const whole = unlikeness(wanted, candidate)
    const bare = unlikeness(wantedModel, withoutProvider(candidate))
    // A model of another provider is a little further away than the same text in full.
    return { name, score: Math.min(whole, bare + 0.01) }
  })
  return scored
    .sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_NAMES)
    .map(({ name }) => name)
}

/** `; nearest: lint, format`, to end a message with; empty when there are no names. */
export function nearestHint(names: readonly string[]): string {
  return names.length === 0 ? '' : `; nearest: ${names.join(', ')}`
}

/** 0 for equal texts, 1 for texts with nothing in common. A text within the other is half as unlike. */
function unlikeness(a: string, b: string): number {
  const longer = Math.max(a.length, b.length)
  if (longer === 0) return 0
  if (a !== '' && b !== '' && (a.includes(b) || b.includes(a)))
    return Math.abs(a.length - b.length) / longer / 2
  return distance(a, b) / longer
}

function normalized(name: string): string {
  return name.slice(0, MAX_COMPARED_CHARS).toLowerCase()
}

function withoutProvider(name: string): string {
  return name.slice(name.indexOf('/') + 1)
}
