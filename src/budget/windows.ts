/** When the windows of a budget begin, by the clock of its time zone. Pure. */
import type { Budget } from '../routing/table.ts'

export type WindowOf = Pick<Budget, 'per' | 'timeZone'>

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS
/** Of all time zones, and to spare. */
const MOST_OFFSET_MS = 36 * HOUR_MS

/**
 * The starts of four windows, epoch ms: the one before the window that holds `at`, that one, and the two after it.
 * `[0]` for `once`, which never ends. Who knows the time better than `at` picks the last one that is not later.
 */
export function windowStarts({ per, timeZone }: WindowOf, at: number): readonly number[] {
  if (per === 'once') return [0]
  if (per === 'hour') {
    const start = hourStart(timeZone, at)
    const next = hourStart(timeZone, start + HOUR_MS)
    return [hourStart(timeZone, start - 1), start, next, hourStart(timeZone, next + HOUR_MS)]
  }
  const today = per === 'day' ? dayOf : monthOf
  const index = today(timeZone, at)
  return [-1, 0, 1, 2].map((step) => firstMoment(today, timeZone, index + step, per))
}

/** A time zone may be half an hour off. */
function hourStart(timeZone: string, at: number): number {
  const offset = localMs(timeZone, at) - at
  return Math.floor((at + offset) / HOUR_MS) * HOUR_MS - offset
}

/** The first moment of a day or month. Midnight itself may be missing, or come twice, where clocks change then. */
function firstMoment(
  indexAt: (timeZone: string, at: number) => number,
  timeZone: string,
  index: number,
  per: 'day' | 'month',
): number {
  const utc = per === 'day' ? index * DAY_MS : Date.UTC(Math.floor(index / 12), index % 12)
  let before = utc - MOST_OFFSET_MS
  let after = utc + MOST_OFFSET_MS
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (indexAt(timeZone, middle) < index) before = middle
    else after = middle
  }
  return after
}

/** Days since 1970, by the local calendar. */
function dayOf(timeZone: string, at: number): number {
  return Math.floor(localMs(timeZone, at) / DAY_MS)
}

/** Months since the year 0, by the local calendar. */
function monthOf(timeZone: string, at: number): number {
  const local = new Date(localMs(timeZone, at))
  return local.getUTCFullYear() * 12 + local.getUTCMonth()
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** What a clock on the wall there shows, as if it were UTC. */
function localMs(timeZone: string, at: number): number {
  if (timeZone === 'UTC') return at
  let format = formats.get(timeZone)
  if (format === undefined) {
    const options = { year: 'numeric', month: 'numeric', day: 'numeric' } as const
    const clock = { hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' } as const
    format = new Intl.DateTimeFormat('en-US', { timeZone, calendar: 'gregory', ...options, ...clock })
    formats.set(timeZone, format)
  }
  const part: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(at)) part[type] = Number(value)
  const { year, month, day, hour, minute, second } = part
  const wholeSecond = Date.UTC(year!, month! - 1, day, hour, minute, second)
  return wholeSecond + (((at % 1000) + 1000) % 1000)
}
