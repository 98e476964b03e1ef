/** An error as a person at a terminal needs it: what is wrong, what would be right, what to do. */
import { type FieldError, isTierlineError, type TierlineError } from '../errors.ts'
import { cleanLine } from './format/clean.ts'
import type { Terminal } from './terminal.ts'

const HINTS: Readonly<Record<string, string>> = {
  server_unreachable: 'Start it with "npm start" (or "tierline up"), or say where it is with --url.',
  unexpected_answer: 'Is it tierline that listens there? Say where it is with --url.',
  unauthorized: 'Give the secret of an API key with --key or in TIERLINE_API_KEYS.',
  task_not_found: 'See the tasks there are with "tierline list".',
  log_expired: 'See what became of it with "tierline get ID".',
  unknown_type: 'See the types with "tierline routes".',
  unknown_tier: 'See the tiers with "tierline routes".',
  tier_not_found: 'See the tiers with "tierline routes".',
  unknown_model: 'See the models with "tierline models".',
  internal_error: 'The log of the server says more.',
}

/** Several lines; the stack only with `debug`. */
export function renderError(
  error: unknown,
  { noteColors: colors, command }: Pick<Terminal, 'noteColors' | 'command'>,
  { debug }: { debug: boolean },
): string {
  const lines = [`${colors.red('error')} ${cleanLine(messageOf(error))}`]
  if (isTierlineError(error)) {
    for (const field of error.errors) lines.push(...fieldLines(field, error.message))
    const hint = HINTS[error.code]
    if (hint !== undefined) lines.push(hint.replaceAll('"tierline ', `"${command} `))
    if (error.retryAfterMs !== undefined)
      lines.push(`Try again in ${Math.ceil(error.retryAfterMs / 1000)} s.`)
  }
  if (debug) lines.push(colors.dim(stackOf(error)))
  else if (!isTierlineError(error)) lines.push('This should not happen. LOG_LEVEL=debug shows where it did.')
  return lines.join('\n')
}

/** The same for a program: what the server says in a problem. */
export function errorToJson(error: unknown): object {
  if (!isTierlineError(error)) return { error: { code: 'internal_error', message: messageOf(error) } }
  const { code, message, errors, retryable, retryAfterMs } = error as TierlineError
  return { error: { code, message, errors, retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) } }
}

/** The message often says already what the one field is about; then only what is new is shown. */
function fieldLines({ field, message, allowed }: FieldError, whole: string): string[] {
  const lines: string[] = []
  if (!whole.includes(message)) lines.push(`  ${cleanLine(`${field}: ${message}`)}`)
  if (allowed !== undefined && allowed.length > 0)
    lines.push(`  ${cleanLine(`${field} may be: ${allowed.join(', ')}`)}`)
  return lines
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}
