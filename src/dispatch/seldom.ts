const QUIET_MS = 10_000
const MOST_REMEMBERED = 100

/** Passes a message on unless it was the same a while ago: in an outage every connection complains each second. */
export function seldom<T extends { message: string }>(say: (what: T) => void): (what: T) => void {
  const saidAt = new Map<string, number>()
  return (what) => {
    const now = Date.now()
    if (now - (saidAt.get(what.message) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return
    if (saidAt.size >= MOST_REMEMBERED) saidAt.clear()
    saidAt.set(what.message, now)
    say(what)
  }
}
