import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { costMicroUsd, effectivePrice } from '../../src/routing/cost.ts'
import { NO_USAGE } from '../../src/tasks/usage.ts'
import { catalogModel, catalogOf } from './acme.ts'

const price = {
  inputMicroUsdPerMTok: 3_000_000,
  outputMicroUsdPerMTok: 15_000_000,
  cacheReadMicroUsdPerMTok: 300_000,
  cacheWriteMicroUsdPerMTok: 3_750_000,
}

describe('costMicroUsd()', () => {
  test.each([
    ['input', { inputTokens: 1000 }, 3000],
    ['output', { outputTokens: 1000 }, 15_000],
    ['reasoning, as output', { reasoningTokens: 1000 }, 15_000],
    ['cache reads', { cacheReadTokens: 1000 }, 300],
    ['cache writes', { cacheWriteTokens: 1000 }, 3750],
    ['nothing', {}, 0],
  ])('bills %s', (_, usage, cost) => {
    expect(costMicroUsd(price, { ...NO_USAGE, ...usage })).toBe(cost)
  })

  test.each([
    ['below', { inputTokens: 199_999, cacheReadTokens: 1 }, 599_997],
    ['at the threshold', { inputTokens: 200_000 }, 600_000],
    ['above it, whole', { inputTokens: 200_001, outputTokens: 1000 }, 1_200_006 + 22_500],
    ['above it by what was cached', { inputTokens: 100_000, cacheReadTokens: 100_001 }, 600_000 + 60_001],
    ['above it by what is cached now', { inputTokens: 1, cacheWriteTokens: 200_000 }, 6 + 1_500_000],
    ['above the next', { inputTokens: 500_001 }, 5_000_010],
    ['below it with much output', { inputTokens: 1, outputTokens: 1_000_000 }, 15_000_003],
  ])('bills a prompt %s by the band it is in', (_, usage, cost) => {
    const bands = [
      {
        aboveContextTokens: 200_000,
        inputMicroUsdPerMTok: 6_000_000,
        outputMicroUsdPerMTok: 22_500_000,
        cacheReadMicroUsdPerMTok: 600_000,
        cacheWriteMicroUsdPerMTok: 7_500_000,
      },
      { ...price, aboveContextTokens: 500_000, inputMicroUsdPerMTok: 10_000_000 },
    ]
    expect(costMicroUsd({ ...price, bands }, { ...NO_USAGE, ...usage })).toBe(cost)
  })

  test('rounds to the nearest micro-USD, half of one up', () => {
    const half = { ...price, inputMicroUsdPerMTok: 500_000 }
    expect(costMicroUsd(half, { ...NO_USAGE, inputTokens: 1 })).toBe(1)
    expect(costMicroUsd({ ...half, inputMicroUsdPerMTok: 499_999 }, { ...NO_USAGE, inputTokens: 1 })).toBe(0)
  })

  test('is exact where tokens times price exceeds what a double holds', () => {
    const dear = { ...price, inputMicroUsdPerMTok: 600_000_001 }
    // 987_654_321 × 600_000_001 = 592_592_593_587_654_321, beyond 2^53.
    expect(costMicroUsd(dear, { ...NO_USAGE, inputTokens: 987_654_321 })).toBe(592_592_593_588)
  })

  test('of a sum is the sum of the costs, but for half a micro-USD each', () => {
    const tokens = fc.nat({ max: 10_000_000 })
    const usage = fc.record({
      inputTokens: tokens,
      outputTokens: tokens,
      reasoningTokens: tokens,
      cacheReadTokens: tokens,
      cacheWriteTokens: tokens,
    })
    fc.assert(
      fc.property(usage, (all) => {
        const parts = Object.entries(all).map(([field, count]) =>
          costMicroUsd(price, { ...NO_USAGE, [field]: count }),
        )
        const sum = parts.reduce((total, part) => total + part, 0)
        expect(Math.abs(costMicroUsd(price, all) - sum)).toBeLessThanOrEqual(3)
      }),
    )
  })
})

describe('effectivePrice()', () => {
  const catalog = catalogOf([catalogModel('acme/nano', [1, 5]), catalogModel('acme/odd', null)])
  const free = { ...price, inputMicroUsdPerMTok: 0 }

  test('is the catalog’s without overrides, null where nobody knows', () => {
    expect(effectivePrice('acme/nano', catalog, new Map())?.inputMicroUsdPerMTok).toBe(1_000_000)
    expect(effectivePrice('acme/odd', catalog, new Map())).toBeNull()
    expect(effectivePrice('acme/none', catalog, new Map())).toBeNull()
  })

  test('is that of the model before that of its provider before the catalog’s', () => {
    expect(effectivePrice('acme/nano', catalog, new Map([['acme', free]]))).toBe(free)
    expect(effectivePrice('acme/odd', catalog, new Map([['acme', free]]))).toBe(free)
    const both = new Map([
      ['acme', free],
      ['acme/nano', price],
    ])
    expect(effectivePrice('acme/nano', catalog, both)).toBe(price)
    expect(effectivePrice('globex/nano', catalog, both)).toBeNull()
    expect(effectivePrice('acme/nano', undefined, both)).toBe(price)
    expect(effectivePrice('globex/nano', undefined, both)).toBeNull()
  })
})
