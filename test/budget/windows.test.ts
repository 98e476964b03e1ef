import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type WindowOf, windowStarts } from '../../src/budget/windows.ts'

const at = (text: string) => Date.parse(text)
const iso = (starts: readonly number[]) => starts.map((start) => new Date(start).toISOString().slice(0, 16))

function startsAt(per: WindowOf['per'], timeZone: string, text: string): string[] {
  return iso(windowStarts({ per, timeZone }, at(text)))
}

describe('windowStarts()', () => {
  test('cuts UTC into hours, days and months', () => {
    const when = '2026-12-31T23:59:59.999Z'
    expect(startsAt('hour', 'UTC', when)).toEqual([
      '2026-12-31T22:00',
      '2026-12-31T23:00',
      '2027-01-01T00:00',
      '2027-01-01T01:00',
    ])
    expect(startsAt('day', 'UTC', when)).toEqual([
      '2026-12-30T00:00',
      '2026-12-31T00:00',
      '2027-01-01T00:00',
      '2027-01-02T00:00',
    ])
    expect(startsAt('month', 'UTC', when)).toEqual([
      '2026-11-01T00:00',
      '2026-12-01T00:00',
      '2027-01-01T00:00',
      '2027-02-01T00:00',
    ])
    expect(windowStarts({ per: 'once', timeZone: 'UTC' }, at(when))).toEqual([0])
  })

  test.each([
    ['the 29th of February', '2028-02-29T12:00:00Z', '2028-02-01T00:00', '2028-03-01T00:00'],
    ['the 31st of January', '2027-01-31T23:59:59Z', '2027-01-01T00:00', '2027-02-01T00:00'],
    ['the first moment of a month', '2027-03-01T00:00:00Z', '2027-03-01T00:00', '2027-04-01T00:00'],
  ])('has months of every length: %s', (_, when, start, reset) => {
    expect(startsAt('month', 'UTC', when).slice(1, 3)).toEqual([start, reset])
  })

  test.each([
    // Europe/Berlin: the 29th of March 2026 has 23 hours, the 25th of October 25.
    ['day', 'Europe/Berlin', '2026-03-29T10:00:00Z', '2026-03-28T23:00', '2026-03-29T22:00'],
    ['day', 'Europe/Berlin', '2026-10-25T10:00:00Z', '2026-10-24T22:00', '2026-10-25T23:00'],
    ['month', 'Europe/Berlin', '2026-03-31T21:59:59Z', '2026-02-28T23:00', '2026-03-31T22:00'],
    ['month', 'Europe/Berlin', '2026-10-31T22:59:59Z', '2026-09-30T22:00', '2026-10-31T23:00'],
    // Midnight is missing: clocks go from 23:59:59 to 01:00.
    ['day', 'Africa/Cairo', '2026-04-24T10:00:00Z', '2026-04-23T22:00', '2026-04-24T21:00'],
    // Clocks go back at midnight, so the hour before it comes twice, and the day has 25.
    ['day', 'Asia/Beirut', '2026-10-24T10:00:00Z', '2026-10-23T21:00', '2026-10-24T22:00'],
    // The other half of the world, and offsets that are no whole hours.
    ['day', 'Pacific/Auckland', '2026-04-04T20:00:00Z', '2026-04-04T11:00', '2026-04-05T12:00'],
    ['day', 'Asia/Kathmandu', '2026-06-01T18:15:00Z', '2026-06-01T18:15', '2026-06-02T18:15'],
    ['hour', 'Asia/Kathmandu', '2026-06-01T18:14:59Z', '2026-06-01T17:15', '2026-06-01T18:15'],
    ['hour', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25T00:00', '2026-10-25T01:00'],
    ['hour', 'Europe/Berlin', '2026-10-25T01:30:00Z', '2026-10-25T01:00', '2026-10-25T02:00'],
  ] as const)('follows the clock on the wall: %s in %s at %s', (per, timeZone, when, start, reset) => {
    expect(startsAt(per, timeZone, when).slice(1, 3)).toEqual([start, reset])
  })

  test('gives windows that rise, hold the moment asked for, and do not depend on it', () => {
    const zones = [
      'UTC',
      'Europe/Berlin',
      'America/New_York',
      'Africa/Cairo',
      'Australia/Lord_Howe',
      'Asia/Kolkata',
    ]
    const moments = fc.integer({ min: at('2020-01-01'), max: at('2035-01-01') })
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom('hour' as const, 'day' as const, 'month' as const),
        moments,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (timeZone, per, moment, part) => {
          const starts = windowStarts({ per, timeZone }, moment)
          const [before, start, reset, next] = starts as [number, number, number, number]
          expect(before).toBeLessThan(start)
          expect(start).toBeLessThanOrEqual(moment)
          expect(moment).toBeLessThan(reset)
          expect(reset).toBeLessThan(next)
          // Lord Howe moves its clocks by half an hour: the hour in which it does is no whole one.
          if (timeZone === 'Australia/Lord_Howe' && per === 'hour') return
          const other = Math.floor(start + part * (reset - start - 1))
          expect(windowStarts({ per, timeZone }, other)).toEqual(starts)
        },
      ),
      { numRuns: 300 },
    )
  })
})
