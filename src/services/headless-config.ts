import { TierlineError } from '../errors.ts'

type Json = Readonly<Record<string, unknown>>

/**
 * What OpenCode needs to work without a terminal. Permissions are not here: what its user denies is to stay denied,
 * and what is asked comes to tierline.
 */
const HEADLESS = {
  // Snapshots queue up per directory and make it six times slower.
  snapshot: false,
  share: 'disabled',
  autoupdate: false,
}

/**
 * The configuration of a server of our own: the user's `OPENCODE_CONFIG_CONTENT`, then what headless work
 * needs, then `extra`; later ones win, key by key. Plugins add up.
 *
 * @throws {TierlineError} `invalid_config` when `inherited` is no JSON object; its text is not repeated.
 */
export function headlessConfig(inherited: string | undefined, extra: Json): Json {
  return [parse(inherited), HEADLESS, extra].reduce(merge)
}

function merge(base: Json, over: Json): Json {
  const merged: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    if (key === 'plugin' && Array.isArray(below) && Array.isArray(value)) {
      merged[key] = [...below, ...value]
      continue
    }
    merged[key] = isObject(below) && isObject(value) ? merge(below, value) : value
  }
  return merged
}

function parse(text: string | undefined): Json {
  if (text === undefined || text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch {
    // Said below.
  }
  const message = 'is not a JSON object'
  throw new TierlineError('invalid_config', `Cannot use OPENCODE_CONFIG_CONTENT: it ${message}`, {
    errors: [{ field: 'OPENCODE_CONFIG_CONTENT', message }],
  })
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
