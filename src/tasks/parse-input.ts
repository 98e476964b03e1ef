import type { z } from 'zod'
import { type ErrorCode, type FieldError, TierlineError } from '../errors.ts'
import { type ParsedTaskInput, promptBytes, TaskInput } from './input.ts'
import { knownKeys } from './known-keys.ts'
import { nearestNames } from './nearest.ts'
import { typesWording, wordingOf } from './wording.ts'

const MAX_GIVEN_CHARS = 200
/** A body of nothing but mistakes is not answered at its own length. */
const MAX_ERRORS = 50
/** Each is compared with each name that is known, and a batch has a thousand tasks. */
const MAX_HINTED = 5

/**
 * Checks a task input. Nothing is looked up: whether its type, tier or model exist is routing's to say.
 *
 * @throws {TierlineError} `unknown_field` when that is all that is wrong, `invalid_input`, `too_large`.
 */
export function parseTaskInput(input: unknown, limits: { maxPromptBytes: number }): ParsedTaskInput {
  refuseProto(input, 'Cannot accept the task')
  const parsed = parseWith(TaskInput, input, 'Cannot accept the task')
  checkPromptBytes(parsed, promptBytes(parsed), limits.maxPromptBytes)
  return parsed
}

/** @throws {TierlineError} `too_large`. */
export function checkPromptBytes(input: { prompt?: unknown }, bytes: number, most: number): void {
  if (bytes <= most) return
  const field = input.prompt === undefined ? 'messages' : 'prompt'
  throw new TierlineError(
    'too_large',
    `Cannot accept the task: its prompt has ${bytes} bytes, at most ${most} are allowed`,
    { errors: [{ field, message: `must have at most ${most} bytes`, given: bytes }] },
  )
}

/**
 * zod leaves such a key out of a map without a word.
 *
 * @throws {TierlineError} `invalid_input`; `what` begins the message.
 */
export function refuseProto(input: unknown, what: string): void {
  for (const map of ['metadata', 'permissions']) {
    const value = valueAt(input, [map])
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, '__proto__')) continue
    const field = `${map}.__proto__`
    const message = 'is no name that may be used'
    throw new TierlineError('invalid_input', `${what}: "${field}" ${message}`, {
      errors: [{ field, message }],
    })
  }
}

/**
 * Parses with any schema and speaks of what is wrong field by field.
 *
 * @throws {TierlineError} `unknown_field` or `invalid_input`; `what` begins the message.
 */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  what: string,
): z.output<Schema> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues
    .filter((issue, index, all) => !isLooser(issue, all[index + 1]))
    .flatMap((issue) => fieldErrors(issue, input, schema))
    .slice(0, MAX_ERRORS)
  const code: ErrorCode = parsed.error.issues.every(({ code }) => code === 'unrecognized_keys')
    ? 'unknown_field'
    : 'invalid_input'
  const [first] = errors
  throw new TierlineError(code, `${what}: "${first!.field}" ${first!.message}`, { errors })
}

/** What a whole number may be at most in JavaScript says nothing where the field's own limit follows. */
function isLooser(issue: z.core.$ZodIssue, next: z.core.$ZodIssue | undefined): boolean {
  return issue.code === next?.code && issue.code.startsWith('too_') && issue.path.join() === next.path.join()
}

function fieldErrors(issue: z.core.$ZodIssue, input: unknown, schema: z.core.$ZodType): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, issue.path)
    return issue.keys.slice(0, MAX_ERRORS).map((key, index) => ({
      field: [...issue.path, key].join('.'),
      message: 'is not a known field',
      ...(index < MAX_HINTED && { allowed: nearestNames(key, known) }),
    }))
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const types = issue.errors.map(([only, ...more]) =>
      more.length === 0 && only?.code === 'invalid_type' && only.path.length === 0
        ? only.expected
        : undefined,
    )
    if (types.length > 1 && types.every((type) => type !== undefined))
      return [ofNoType(issue.path, types, input)]
    // Of the alternatives, speak of the one that came furthest.
    const deepest = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0]!
    if (deepest.length > 0)
      return deepest.flatMap((inner) =>
        fieldErrors({ ...inner, path: [...issue.path, ...inner.path] }, input, schema),
      )
  }
  const given = valueAt(input, issue.path)
  return [
    {
      field: issue.path.join('.') || 'body',
      message: wordingOf(issue, given),
      ...(given !== undefined && { given: shortened(given) }),
      ...(issue.code === 'invalid_value' && { allowed: issue.values.map(String) }),
      ...(issue.code === 'invalid_union' &&
        'options' in issue && { allowed: (issue.options ?? []).map(String) }),
    },
  ]
}

function ofNoType(path: readonly PropertyKey[], types: readonly string[], input: unknown): FieldError {
  const given = valueAt(input, path)
  const field = path.join('.') || 'body'
  if (given === undefined) return { field, message: 'is required' }
  return { field, message: typesWording(types, given), given: shortened(given) }
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map(({ path }) => path.length))
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key]
  return value
}

function shortened(value: unknown): unknown {
  try {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return text !== undefined && text.length > MAX_GIVEN_CHARS ? `${text.slice(0, MAX_GIVEN_CHARS)}…` : value
  } catch {
    // JSON is parsed at any depth, but not written at any.
    return '…'
  }
}
