const MASK = '[secret]'

/** A shorter text stands in too many words by chance; settings warn about such secrets. */
const MIN_SECRET_CHARS = 4

// All repetitions are bounded: a line may hold what a stranger wrote, and must not take seconds.
/** Value of a JSON key that sounds like a secret, also where the JSON stands in a JSON string. */
const SECRET_KEY =
  /(\\{0,7}")([\w.-]{0,64}(?:password|passwd|secret|token|api[-_]?key|authorization|cookie|credential)[\w.-]{0,64})\1(\s{0,9}:\s{0,9})\1(?:(?!\1)(?:[^\\]|\\.))*\1/gi
const URL_LOGIN = /(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/?#@"\\]{0,512}@/gi
const AUTH_SCHEME = /\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi
const PROVIDER_KEY = /\b(?:sk|pk|rk|ghp|gho|xox[abp])[-_][\w-]{12,}/g

/**
 * Makes a function that takes secrets out of a line of text or JSON: those given, wherever they stand, and
 * what looks like one. JSON stays JSON.
 */
export function createSecretMask(secrets: readonly string[]): (line: string) => string {
  // The longest first, so that no rest of a secret stays that begins with another.
  const known = secrets
    .filter((secret) => secret.length >= MIN_SECRET_CHARS)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .sort((a, b) => b.length - a.length)
  return (line) => {
    let masked = line
    for (const secret of known) masked = masked.replaceAll(secret, MASK)
    return masked
      .replace(SECRET_KEY, `$1$2$1$3$1${MASK}$1`)
      .replace(URL_LOGIN, `$1${MASK}@`)
      .replace(AUTH_SCHEME, `$1 ${MASK}`)
      .replace(PROVIDER_KEY, MASK)
  }
}
