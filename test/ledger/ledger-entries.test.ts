import { expect, test } from 'vitest'
import { ledgerDayOf, ledgerDaysBetween, ledgerExpiresAt } from '../../src/ledger/ledger-day.ts'
import {
  endEntries,
  type LedgerEntries,
  readLedgerDay,
  spentEntries,
} from '../../src/ledger/ledger-entries.ts'

const usage = {
  ...{ inputTokens: 1, outputTokens: 2, reasoningTokens: 3 },
  ...{ cacheReadTokens: 4, cacheWriteTokens: 5 },
}
// Names hold anything that a file or a key may be called.
const group = { tier: 'fast', type: 'a"b,]c', key: null }
const spent = { model: 'acme/org/nano', usage, costMicroUsd: 6, costEstimatedMicroUsd: 7 } as const

test('a day is read as it was written, group by group', () => {
  const other = { ...group, key: 'ci' }
  const lines = readLedgerDay(
    hashOf([
      ...spentEntries(group, spent),
      ...endEntries({ ...group, model: spent.model }, true),
      ...endEntries({ ...other, model: 'acme/big' }, false),
    ]),
  )

  expect(lines).toEqual([
    { ...group, ...spent, succeeded: 1, others: 0 },
    expect.objectContaining({ key: 'ci', model: 'acme/big', costMicroUsd: 0, succeeded: 0, others: 1 }),
  ])
})

test('figures of 0 take no place', () => {
  const free = { ...spent, usage: { ...usage, inputTokens: 0, cacheWriteTokens: 0 }, costMicroUsd: 0 }

  expect(spentEntries(group, free)).toHaveLength(2 * 4)
})

test('days are UTC, and the last one is that which begins before the end', () => {
  const noon = Date.UTC(2026, 10, 23, 12)

  expect(ledgerDayOf(noon)).toBe('2026-11-23')
  expect(ledgerDaysBetween(noon, noon + 1)).toEqual(['2026-11-23'])
  expect(ledgerDaysBetween(noon, Date.UTC(2026, 10, 24))).toEqual(['2026-11-23'])
  expect(ledgerDaysBetween(noon, Date.UTC(2026, 10, 24) + 1)).toEqual(['2026-11-23', '2026-11-24'])
  expect(ledgerDaysBetween(noon, noon - 86_400_000)).toEqual([])
  expect(ledgerExpiresAt(noon, 1)).toBe(Date.UTC(2026, 10, 25) / 1000)
})

function hashOf(entries: LedgerEntries): Record<string, string> {
  const hash: Record<string, string> = {}
  for (let index = 0; index < entries.length; index += 2)
    hash[String(entries[index])] = String(entries[index + 1])
  return hash
}
