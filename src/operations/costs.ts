import { TierlineError } from '../errors.ts'
import { ledgerDaysBetween } from '../ledger/ledger-day.ts'
import type { LedgerLine } from '../ledger/ledger-entries.ts'
import { totalOf } from '../ledger/spent.ts'
import { type CostGroup, type Costs, CostsQuery, type CostsTotal } from '../tasks/costs.ts'
import { parseWith } from '../tasks/parse-input.ts'

const DAY_MS = 86_400_000

export interface CostsDeps {
  /** The ledgers of these days, in their order. */
  read(days: readonly string[]): Promise<{ day: string; lines: LedgerLine[] }[]>
  ledgerDays(): number
  now(): number
}

/**
 * What was spent, group by group. One round trip, whatever the number of tasks.
 *
 * @throws {TierlineError} `invalid_input`, `unknown_field`; `until` must be after `since`.
 */
export async function readCosts(query: unknown, deps: CostsDeps): Promise<Costs> {
  const { since, until, groupBy } = parseWith(CostsQuery, query, 'Cannot tell the costs')
  const now = deps.now()
  // Clocks of workers differ: one may be in tomorrow already.
  const latest = now + DAY_MS
  const earliest = now - (deps.ledgerDays() + 1) * DAY_MS
  if (since !== undefined && until !== undefined && until <= since) throw backwards(since, until)
  const days = ledgerDaysBetween(Math.max(since ?? earliest, earliest), Math.min(until ?? latest, latest))
  const lines = (await deps.read(days)).flatMap(({ day, lines }) => lines.map((line) => ({ ...line, day })))
  const groups = Map.groupBy(lines, (line) => line[groupBy])
  const data = [...groups].map(([group, members]) => ({ group, ...sumOf(members) }))
  return { groupBy, data: data.sort(orderOf(groupBy)), total: sumOf(lines) }
}

function sumOf(lines: readonly LedgerLine[]): CostsTotal {
  const succeeded = lines.reduce((sum, line) => sum + line.succeeded, 0)
  const tasks = lines.reduce((sum, line) => sum + line.others, succeeded)
  const { usage, costMicroUsd, costEstimatedMicroUsd } = totalOf(lines)
  return { tasks, succeeded, usage, costMicroUsd, costEstimatedMicroUsd }
}

function orderOf(groupBy: CostGroup) {
  const spent = (line: CostsTotal): number => line.costMicroUsd + line.costEstimatedMicroUsd
  return (a: { group: string | null } & CostsTotal, b: { group: string | null } & CostsTotal): number =>
    (groupBy === 'day' ? 0 : spent(b) - spent(a)) || (a.group ?? '').localeCompare(b.group ?? '', 'en')
}

function backwards(since: number, until: number): TierlineError {
  return new TierlineError('invalid_input', 'Cannot tell the costs: "until" must be after "since"', {
    errors: [{ field: 'until', message: `must be after ${since}`, given: until }],
  })
}
