/** What zod finds wrong in a file, in words, with the place. */
import type { z } from 'zod'
import type { FieldError } from '../errors.ts'
import { knownKeys } from '../tasks/known-keys.ts'
import { nearestNames } from '../tasks/nearest.ts'
import type { ConfigProblem } from './config-problem.ts'
import type { YamlSource } from './yaml-source.ts'

const MAX_GIVEN_CHARS = 100

type Issue = z.core.$ZodIssue

/** Every issue as a problem at its line; an unknown key comes with the nearest known ones. */
export function schemaProblems(
  issues: readonly Issue[],
  schema: z.ZodType,
  source: YamlSource,
): ConfigProblem[] {
  return issues.flatMap((issue): ConfigProblem[] => {
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(schema, issue.path)
      return issue.keys.map((key) => {
        const path = [...issue.path, key]
        const allowed = nearestNames(key, known)
        return source.problemAt(path, 'key', {
          field: path.join('.'),
          message: 'is not a known key',
          allowed,
        })
      })
    }
    if (issue.code === 'invalid_key') {
      const message = issue.issues[0]?.message ?? 'is not a good name'
      return [source.problemAt(issue.path, 'key', { field: issue.path.join('.'), message })]
    }
    const closest = issue.code === 'invalid_union' ? closestOf(issue) : undefined
    if (closest !== undefined) return schemaProblems(closest, schema, source)
    return [source.problemAt(issue.path, 'value', fieldErrorOf(issue, source.data))]
  })
}

type UnionIssue = Extract<Issue, { code: 'invalid_union' }>

/** What is wrong with the alternative that was meant: the one that is of the right type. */
function closestOf({ errors, path }: UnionIssue): Issue[] | undefined {
  const meant = errors.find(([first]) => first?.code !== 'invalid_type' || first.path.length > 0)
  return meant?.map((issue) => ({ ...issue, path: [...path, ...issue.path] }))
}

/** Of `routes`: a text or a map, of which neither needs to be meant. */
function isTarget({ path }: UnionIssue): boolean {
  return path[0] === 'routes' && path.length === 2
}

function fieldErrorOf(issue: Issue, data: unknown): FieldError {
  const field = issue.path.join('.')
  const given = valueAt(data, issue.path)
  if (given === undefined && issue.code !== 'custom') return { field, message: 'is required' }
  const isPlain = given !== undefined && (given === null || typeof given !== 'object')
  const message = messageOf(issue)
  return {
    field,
    message: isPlain ? `${message}, and is ${shown(given)}` : message,
    ...(isPlain && { given }),
    ...(issue.code === 'invalid_value' && { allowed: nearestNames(String(given), issue.values.map(String)) }),
  }
}

function messageOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${TYPE_NAMES[issue.expected] ?? issue.expected}`
    case 'too_small':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `must be at least ${issue.minimum}`
        : said(issue)
    case 'too_big':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `must be at most ${issue.maximum}`
        : said(issue)
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}`
    case 'invalid_union':
      return isTarget(issue)
        ? 'must be the name of a tier, "provider/model", or a map such as { tier: fast }'
        : `must be ${typesOf(issue).join(' or ')}`
    default:
      return said(issue)
  }
}

function typesOf({ errors }: UnionIssue): string[] {
  return errors.flatMap(([first]) =>
    first?.code === 'invalid_type' ? [TYPE_NAMES[first.expected] ?? first.expected] : [],
  )
}

const TYPE_NAMES: Record<string, string> = {
  record: 'a map',
  object: 'a map',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
}

/** The words of our own schemas start with "must", "needs" or "means"; zod's own are made to fit. */
function said({ message }: Issue): string {
  return message.replace(/^(Invalid \w+|Too (small|big)): /, '')
}

function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let value = data
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key]
  return value
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > MAX_GIVEN_CHARS ? `${text.slice(0, MAX_GIVEN_CHARS)}…` : text
}
