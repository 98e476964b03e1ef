import { basename } from 'node:path'
import { type FieldError, TierlineError } from '../errors.ts'

/** One thing that is wrong in a file, and where. Lines and columns count from 1. */
export interface ConfigProblem extends FieldError {
  readonly line: number
  readonly column: number
}

/** `tierline.yaml:3:5: routes.lint: names the tier "fats", which does not exist; nearest: fast`. */
export function formatProblem(path: string, problem: ConfigProblem): string {
  const { line, column, field, message, allowed } = problem
  const place = `${path}:${line}:${column}:`
  const nearest = allowed && allowed.length > 0 ? `; nearest: ${allowed.join(', ')}` : ''
  return field === '' ? `${place} ${message}${nearest}` : `${place} ${field}: ${message}${nearest}`
}

/** All problems of a file as one error; the message names the first and counts the rest. */
export function configError(path: string, problems: readonly ConfigProblem[]): TierlineError {
  const [first] = problems
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  return new TierlineError(
    'invalid_config',
    `Cannot use the configuration file "${path}": ${formatProblem(basename(path), first!)}${more}`,
    {
      errors: problems.map(({ line, column, field, ...rest }) => ({
        ...rest,
        field: `${basename(path)}:${line}:${column}${field === '' ? '' : ` ${field}`}`,
      })),
    },
  )
}
