import { readFileSync } from 'node:fs'
import type { FieldError } from '../errors.ts'
import { nearestHint, nearestNames } from '../tasks/nearest.ts'
import { type Flags, VARIABLE_NAMES, VARIABLES, type VariableName } from './variables.ts'

const MAX_SECRET_CHARS = 64 * 1024

/** One variable as it was given. */
export interface GivenVariable {
  readonly text: string
  /** Where it came from, for errors: `TIERLINE_PORT`, `--port`, `REDIS_URL_FILE`. */
  readonly source: string
  /** False: the default holds. */
  readonly explicit: boolean
}

export interface Variables {
  get(name: VariableName): GivenVariable | undefined
  readonly errors: FieldError[]
  readonly warnings: readonly string[]
}

/**
 * Flag before environment before default, and secrets out of their files.
 *
 * A variable that is empty counts as not set: that is what `${NAME:-}` gives in a compose file.
 */
export function readVariables(env: NodeJS.ProcessEnv, flags: Flags): Variables {
  const given = new Map<VariableName, GivenVariable>()
  const errors: FieldError[] = []
  for (const name of VARIABLE_NAMES) {
    const { flag, secret, default: fallback } = VARIABLES[name]
    const fromFlag = flag === null ? undefined : flags[flag]
    if (fromFlag !== undefined) {
      given.set(name, { text: String(fromFlag), source: `--${kebab(flag!)}`, explicit: true })
      continue
    }
    const file = secret ? env[`${name}_FILE`]?.trim() : undefined
    const text = env[name]?.trim()
    if (file && text) errors.push({ field: name, message: `is set, and ${name}_FILE too: set one of them` })
    else if (file) {
      const content = readSecret(file)
      if (content.status === 'read')
        given.set(name, { text: content.text, source: `${name}_FILE`, explicit: true })
      else errors.push({ field: `${name}_FILE`, message: content.reason, given: file })
    } else if (text) given.set(name, { text, source: name, explicit: true })
    else if (fallback !== null) given.set(name, { text: fallback, source: name, explicit: false })
  }
  return { get: (name) => given.get(name), errors, warnings: unknownNames(env) }
}

function readSecret(file: string): { status: 'read'; text: string } | { status: 'failed'; reason: string } {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch (error) {
    return {
      status: 'failed',
      reason: `names a file that cannot be read (${(error as NodeJS.ErrnoException).code})`,
    }
  }
  if (text === '') return { status: 'failed', reason: 'names a file that is empty' }
  if (text.length > MAX_SECRET_CHARS)
    return { status: 'failed', reason: 'names a file that is too large for a secret' }
  return { status: 'read', text }
}

/** Nothing else starts with TIERLINE_, so such a name is a typing error. */
function unknownNames(env: NodeJS.ProcessEnv): string[] {
  const known = VARIABLE_NAMES.flatMap((name) => (VARIABLES[name].secret ? [name, `${name}_FILE`] : [name]))
  return Object.keys(env)
    .filter((name) => name.startsWith('TIERLINE_') && !known.includes(name))
    .sort()
    .map(
      (name) =>
        `${name} is not a variable of tierline and has no effect${nearestHint(nearestNames(name, known).slice(0, 1))}`,
    )
}

function kebab(flag: string): string {
  return flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
