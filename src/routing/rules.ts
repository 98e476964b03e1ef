/** Rules that look at more than the type of a task: the first that matches decides. Pure. */
import type { RoutingRule, RoutingTable, RuleConditions } from './table.ts'
import type { TaskFacts } from './task-facts.ts'

export interface FoundRule {
  /** Counted from 0, as in the place `rules.0` of the file. */
  readonly index: number
  readonly rule: RoutingRule
}

type Type = string | undefined

/** The rule that decides for such a task. `undefined`: none matches. */
export function findRule(
  type: Type,
  facts: TaskFacts,
  { rules, conditions }: Pick<RoutingTable, 'rules' | 'conditions'>,
): FoundRule | undefined {
  for (let index = 0; index < conditions.length; index += 1) {
    const when = conditions[index]!
    // The cheapest first: few prompts are measured for nothing.
    if (
      hasType(when, type) &&
      hasKey(when, facts) &&
      hasDirectory(when, facts) &&
      (when.promptTokens === undefined || hasLength(when, facts))
    )
      return { index, rule: rules[index]! }
  }
  return undefined
}

/** What about a task makes a rule match: `key ci, about 80000 tokens`. */
export function whyMatched({ when }: RoutingRule, type: Type, facts: TaskFacts): string {
  return CONDITIONS.filter(({ isIn }) => isIn(when))
    .map(({ looksAt }) => looksAt(type, facts))
    .join(', ')
}

/** What about a task keeps a rule from matching: `key web, not key ci`. Empty: it matches. */
export function whyNot({ when }: RoutingRule, type: Type, facts: TaskFacts): string {
  return CONDITIONS.filter(({ isIn, holds }) => isIn(when) && !holds(when, type, facts))
    .map(({ looksAt, wants }) => `${looksAt(type, facts)}, not ${wants(when)}`)
    .join('; ')
}

/** `/work/a` is in `/work` and in `/work/a`, and not in `/wor` or `/work/ab`. Both are real paths. */
export function isBelow(path: string, root: string): boolean {
  if (!path.startsWith(root)) return false
  return path.length === root.length || isSeparator(root.at(-1)) || isSeparator(path[root.length])
}

function hasType({ types }: RuleConditions, type: Type): boolean {
  return types === undefined || (type !== undefined && types.includes(type))
}

function hasKey({ keys }: RuleConditions, { key }: TaskFacts): boolean {
  return keys === undefined || (key !== null && keys.includes(key))
}

function hasDirectory({ directories }: RuleConditions, { directory }: TaskFacts): boolean {
  if (directories === undefined) return true
  return directory !== null && directories.some((root) => isBelow(directory, root))
}

function hasLength({ promptTokens }: RuleConditions, { prompt: { totalTokens } }: TaskFacts): boolean {
  const { over = -1, atMost = Number.POSITIVE_INFINITY } = promptTokens ?? {}
  return totalTokens > over && totalTokens <= atMost
}

/** The same conditions, in words. */
const CONDITIONS: readonly {
  isIn(when: RuleConditions): boolean
  holds(when: RuleConditions, type: Type, facts: TaskFacts): boolean
  looksAt(type: Type, facts: TaskFacts): string
  wants(when: RuleConditions): string
}[] = [
  {
    isIn: ({ types }) => types !== undefined,
    holds: hasType,
    looksAt: (type) => (type === undefined ? 'no type' : `type ${type}`),
    wants: ({ types = [] }) => `type ${types.join(' or ')}`,
  },
  {
    isIn: ({ keys }) => keys !== undefined,
    holds: (when, _, facts) => hasKey(when, facts),
    looksAt: (_, { key }) => (key === null ? 'no key' : `key ${key}`),
    wants: ({ keys = [] }) => `key ${keys.join(' or ')}`,
  },
  {
    isIn: ({ directories }) => directories !== undefined,
    holds: (when, _, facts) => hasDirectory(when, facts),
    looksAt: (_, { directory }) => (directory === null ? 'no directory' : `directory ${directory}`),
    wants: ({ directories = [] }) => `directory ${directories.join(' or ')}`,
  },
  {
    isIn: ({ promptTokens }) => promptTokens !== undefined,
    holds: (when, _, facts) => hasLength(when, facts),
    looksAt: (_, { prompt }) => `about ${prompt.totalTokens} tokens`,
    wants: ({ promptTokens: { over, atMost } = {} }) =>
      [
        ...(over === undefined ? [] : [`over ${over}`]),
        ...(atMost === undefined ? [] : [`at most ${atMost}`]),
      ].join(' and '),
  },
]

function isSeparator(character: string | undefined): boolean {
  return character === '/' || character === '\\'
}
