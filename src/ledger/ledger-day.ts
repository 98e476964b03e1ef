const DAY_MS = 86_400_000

/** The UTC day of a moment: `2026-11-23`. */
export function ledgerDayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

/** Epoch seconds from which the ledger of that day is not kept any more. */
export function ledgerExpiresAt(at: number, keptDays: number): number {
  return ((Math.floor(at / DAY_MS) + 1 + keptDays) * DAY_MS) / 1000
}

/** The UTC days that have a part in [since, until), oldest first; epoch ms. */
export function ledgerDaysBetween(since: number, until: number): string[] {
  const days: string[] = []
  for (let day = Math.floor(since / DAY_MS) * DAY_MS; day < until; day += DAY_MS) days.push(ledgerDayOf(day))
  return days
}
