import { nearestNames } from '../tasks/nearest.ts'

/** What is said of an API key that does not exist, with the nearest that do. `does`: `can never match`. */
export function unknownKey(
  does: string,
  name: string,
  keys: readonly string[],
): [message: string, { allowed: readonly string[] }] {
  const why = keys.length === 0 ? 'TIERLINE_API_KEYS is not set here' : 'TIERLINE_API_KEYS has no such name'
  return [`${does} the key "${name}": ${why}`, { allowed: nearestNames(name, keys) }]
}
