import { MASK, maskedText } from '../board/mask.ts'

const SECRET_NAME = /((key|token|password|secret|authorization|credential|cookie)s?|access_?key_?id)$/i
/** What people put secrets into, whatever they call them. */
const SECRET_HOLDER = /^(headers|env|environment)$/i

/** OpenCode's configuration without API keys: its own answers show them in clear. Pure. */
export function maskedConfig(value: unknown, isSecret = false): unknown {
  if (typeof value === 'string') return isSecret ? MASK : maskedText(value)
  if (Array.isArray(value)) return value.map((inner) => maskedConfig(inner))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      maskedConfig(
        inner,
        isSecret || SECRET_NAME.test(name) || (SECRET_HOLDER.test(name) && !Array.isArray(inner)),
      ),
    ]),
  )
}
