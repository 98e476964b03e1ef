import type { FieldError } from '../errors.ts'
import { Name } from '../tasks/input.ts'

/** Who may call: the name stands in budgets and logs, the secret nowhere. */
export interface ApiKey {
  readonly name: string
  readonly secret: string
}

/** `name:secret`, separated by commas or lines. No message holds any of the text: it may be a secret. */
export function parseApiKeys(text: string, field: string): { keys: ApiKey[]; errors: FieldError[] } {
  const keys: ApiKey[] = []
  const errors: FieldError[] = []
  const entries = entriesOf(text)
  if (entries.length === 0) errors.push({ field, message: 'names no key' })
  for (const [index, entry] of entries.entries()) {
    const colon = entry.indexOf(':')
    const [name, secret] = [entry.slice(0, Math.max(0, colon)), entry.slice(colon + 1).trim()]
    const refuse = (message: string): void => {
      errors.push({ field, message: `entry ${index + 1} ${message}` })
    }
    if (colon === -1) refuse('must be "name:secret", and has no colon')
    else if (!Name.safeParse(name).success)
      refuse('must begin with a name of letters, digits, ".", "_" or "-"')
    else if (secret === '') refuse('has no secret after its colon')
    else if (/[\s\p{Cc}]/u.test(secret)) refuse('has a blank in its secret')
    else if (keys.some((key) => key.name === name)) refuse('has the name of an earlier one')
    else if (keys.some((key) => key.secret === secret)) refuse('has the secret of an earlier one')
    else keys.push({ name, secret })
  }
  return { keys, errors }
}

function entriesOf(text: string): string[] {
  return text
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
}
