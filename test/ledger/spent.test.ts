import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addSpent,
  atLeast,
  formatSpent,
  increaseOf,
  parseSpent,
  type Spent,
  sumByModel,
  totalOf,
} from '../../src/ledger/spent.ts'

const figure = fc.nat({ max: 1_000_000_000 })
const line = fc.record({
  model: fc.constantFrom('acme/nano', 'acme/big', 'globex/org/deep' as const),
  usage: fc.record({
    inputTokens: figure,
    outputTokens: figure,
    reasoningTokens: figure,
    cacheReadTokens: figure,
    cacheWriteTokens: figure,
  }),
  costMicroUsd: figure,
  costEstimatedMicroUsd: figure,
})
const spent = fc.uniqueArray(line, { selector: ({ model }) => model }) as fc.Arbitrary<Spent>

describe('what was spent', () => {
  test('is in a record what it was', () => {
    fc.assert(
      fc.property(spent, (some) => {
        expect(parseSpent(formatSpent(some))).toEqual(some)
      }),
    )
    expect([formatSpent([]), parseSpent(''), parseSpent(undefined)]).toEqual(['', [], []])
  })

  test('adds up by model, and so do the totals', () => {
    fc.assert(
      fc.property(spent, spent, (a, b) => {
        expect(byModel(addSpent(a, b))).toEqual(byModel(sumByModel([...a, ...b])))
        expect(totalOf(addSpent(a, b))).toEqual(totalOf(sumByModel([...a, ...b])))
      }),
    )
  })

  test('grows by its increase, whatever reports come in whatever order', () => {
    fc.assert(
      fc.property(fc.array(spent, { maxLength: 6 }), (reports) => {
        let booked: Spent = []
        let ledger: Spent = []
        for (const report of [...reports, ...reports]) {
          const now = atLeast(booked, report)
          ledger = addSpent(ledger, increaseOf(now, booked))
          booked = now
        }
        expect(byModel(ledger).filter(isSomething)).toEqual(byModel(booked).filter(isSomething))
        for (const report of reports) expect(atLeast(booked, report)).toEqual(booked)
      }),
    )
  })

  test('has no increase where nothing is more', () => {
    fc.assert(
      fc.property(spent, (some) => {
        expect(increaseOf(some, some)).toEqual([])
      }),
    )
  })
})

function byModel(some: Spent): Spent {
  return some.toSorted((a, b) => a.model.localeCompare(b.model))
}

function isSomething({ usage, costMicroUsd, costEstimatedMicroUsd }: Spent[number]): boolean {
  return [...Object.values(usage), costMicroUsd, costEstimatedMicroUsd].some((figure) => figure > 0)
}
