import type { z } from 'zod'

/** What is wrong, to be read after the name of the field: `must have at most 200 characters`. */
export function wordingOf(issue: z.core.$ZodIssue, given: unknown): string {
  if (given === undefined) return issue.message.startsWith('is required') ? issue.message : 'is required'
  switch (issue.code) {
    case 'too_small':
      if (issue.origin === 'string' && Number(issue.minimum) === 1) return 'must not be empty'
      return `must ${boundOf(issue.origin, 'least', issue.minimum)}`
    case 'too_big':
      return `must ${boundOf(issue.origin, 'most', issue.maximum)}`
    case 'invalid_type':
      return `must be ${NAMES[issue.expected] ?? issue.expected}, and is ${shown(given)}`
    case 'invalid_value':
      return oneOf(issue.values)
    case 'invalid_union':
      return 'options' in issue && issue.options ? oneOf(issue.options) : issue.message
    default:
      return issue.message.replace(/^Invalid (input|string|option): /, '')
  }
}

/** For a value that is of none of these types: `must be a string, a number or true or false, and is an object`. */
export function typesWording(expected: readonly string[], given: unknown): string {
  const names = [...new Set(expected.map((type) => NAMES[type] ?? type))]
  return `must be ${names.slice(0, -1).join(', ')} or ${names.at(-1)}, and is ${shown(given)}`
}

/** `must be a whole number, and is a number` would help nobody. */
function shown(given: unknown): string {
  return typeof given === 'number' ? String(given) : kindOf(given)
}

const NAMES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
}

const ENTRIES = { one: 'entry', many: 'entries' }
const UNITS: Readonly<Record<string, { one: string; many: string }>> = {
  string: { one: 'character', many: 'characters' },
  array: ENTRIES,
  set: ENTRIES,
}

function boundOf(origin: string, side: 'least' | 'most', bound: number | bigint): string {
  const unit = UNITS[origin]
  if (unit === undefined) return `be at ${side} ${bound}`
  return `have at ${side} ${bound} ${Number(bound) === 1 ? unit.one : unit.many}`
}

function oneOf(values: readonly unknown[]): string {
  return `must be ${values.map((value) => JSON.stringify(value)).join(' or ')}`
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : (NAMES[typeof value] ?? typeof value)
}
