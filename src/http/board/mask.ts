/** Keeps secrets off the board: prompts, results and metadata may hold some. */

const SECRET_NAME = /(key|token|password|secret|authorization)$/i

/** What looks like a secret wherever it stands. The first group, if any, stays readable. */
const SECRET_TEXT = [
  /\b(sk-)[\w-]{8,}/g,
  /\b(Bearer\s+)[\w.~+/=-]{16,}/gi,
  /\b(gh[pousr]_|github_pat_|xox[abpr]-|AKIA|AIza)[\w-]{10,}/g,
  /(:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/g,
  /(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(?=-----END|$)/g,
]

export const MASK = '[masked]'

/** A copy of any JSON with secrets masked, by the name of the field or the look of the text. */
export function masked(value: unknown): unknown {
  if (typeof value === 'string') return maskedText(value)
  if (Array.isArray(value)) return value.map(masked)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      SECRET_NAME.test(name) && typeof inner === 'string' ? MASK : masked(inner),
    ]),
  )
}

/** `key sk-abcdefgh` → `key sk-[masked]`. */
export function maskedText(text: string): string {
  return SECRET_TEXT.reduce((rest, pattern) => rest.replace(pattern, `$1${MASK}`), text)
}
