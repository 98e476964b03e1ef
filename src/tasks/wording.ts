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
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`
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

const UNITS: Readonly<Record<string, string>> = { string: 'characters', array: 'entries', set: 'entries' }

function boundOf(origin: string, side: 'least' | 'most', bound: number | bigint): string {
  const unit = UNITS[origin]
  return unit === undefined ? `be at ${side} ${bound}` : `have at ${side} ${bound} ${unit}`
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : (NAMES[typeof value] ?? typeof value)
}
