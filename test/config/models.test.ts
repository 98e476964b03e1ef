import { describe, expect, test } from 'vitest'
import { configOf, faultsOf, TIERS } from './parsed.ts'

describe('parseFile(), limits of models and keys', () => {
  test('gives them by what they limit', () => {
    const { caps } = configOf(`${TIERS}models:
  acme: { concurrency: 20 }
  acme/nano: { requestsPerMinute: 300, tokensPerMinute: 400000 }
keys: { "*": { concurrency: 3 } }
`).table

    expect(caps).toEqual(
      new Map([
        ['provider:acme', { concurrency: 20, requestsPerMinute: null, tokensPerMinute: null }],
        ['model:acme/nano', { concurrency: null, requestsPerMinute: 300, tokensPerMinute: 400_000 }],
        ['key:*', { concurrency: 3, requestsPerMinute: null, tokensPerMinute: null }],
      ]),
    )
  })

  test.each<[string, string, string]>([
    [
      'none at a time',
      'acme: { concurrency: 0 }',
      '4:32: models.acme.concurrency: must be at least 1, and is 0',
    ],
    [
      'fewer than none',
      'acme: { concurrency: -2 }',
      '4:32: models.acme.concurrency: must be at least 1, and is -2',
    ],
    [
      'what is no number',
      'acme: { tokensPerMinute: .nan }',
      '4:36: models.acme.tokensPerMinute: must be a number, and is NaN',
    ],
    [
      'what has no end',
      'acme: { tokensPerMinute: .inf }',
      '4:36: models.acme.tokensPerMinute: must be a number, and is Infinity',
    ],
    [
      'half a request',
      'acme: { requestsPerMinute: 0.5 }',
      '4:38: models.acme.requestsPerMinute: must be a whole number, and is 0.5',
    ],
    [
      'what is no model',
      '"acme/": { concurrency: 1 }',
      '4:11: models.acme/: must be "provider/model" or a provider',
    ],
  ])('refuses %s', (_, model, fault) => {
    expect(faultsOf(`${TIERS}models: { ${model} }`)).toEqual([expect.stringContaining(fault)])
  })

  test.each<[string, string, string]>([
    ['a key without a limit', 'ci: {}', '4:13: keys.ci.concurrency: is required'],
    ['a negative one', 'ci: { concurrency: -1 }', '4:28: keys.ci.concurrency: must be at least 1, and is -1'],
  ])('refuses %s', (_, key, fault) => {
    expect(faultsOf(`${TIERS}keys: { ${key} }`)).toEqual([expect.stringContaining(fault)])
  })
})

describe('parseFile(), prices', () => {
  test('turns prices into micro-USD; cache prices that are not given are those of input', () => {
    const { table } = configOf(`${TIERS}models:
  acme/nano: { price: { inputUsdPerMTok: 0.1, outputUsdPerMTok: 0.4, cacheReadUsdPerMTok: 0.01 } }
  ollama: { price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } }
  globex: { price: { inputUsdPerMTok: 2, outputUsdPerMTok: 4 } }
`)

    expect(table.prices.get('acme/nano')).toEqual({
      inputMicroUsdPerMTok: 100_000,
      outputMicroUsdPerMTok: 400_000,
      cacheReadMicroUsdPerMTok: 10_000,
      cacheWriteMicroUsdPerMTok: 100_000,
    })
    expect(table.prices.get('acme/nano')).not.toHaveProperty('bands')
    expect(table.prices.get('ollama')?.cacheReadMicroUsdPerMTok).toBe(0)
    expect(table.prices.get('globex')?.cacheReadMicroUsdPerMTok).toBe(2_000_000)
    expect(table.warnings).toEqual([])
  })

  test('sorts the prices of long prompts', () => {
    const { table } = configOf(`${TIERS}models:
  acme/big:
    price:
      inputUsdPerMTok: 2
      outputUsdPerMTok: 12
      bands:
        - { aboveContextTokens: 500000, inputUsdPerMTok: 8, outputUsdPerMTok: 24 }
        - { aboveContextTokens: 200000, inputUsdPerMTok: 4, outputUsdPerMTok: 18, cacheReadUsdPerMTok: 0.4 }
`)

    expect(table.prices.get('acme/big')?.bands).toEqual([
      {
        aboveContextTokens: 200_000,
        inputMicroUsdPerMTok: 4_000_000,
        outputMicroUsdPerMTok: 18_000_000,
        cacheReadMicroUsdPerMTok: 400_000,
        cacheWriteMicroUsdPerMTok: 4_000_000,
      },
      expect.objectContaining({ aboveContextTokens: 500_000, outputMicroUsdPerMTok: 24_000_000 }),
    ])
  })

  test('takes 0 for free', () => {
    const { prices } = configOf(
      `${TIERS}models: { acme: { price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } } }`,
    ).table

    expect(prices.get('acme')).toMatchObject({ inputMicroUsdPerMTok: 0, outputMicroUsdPerMTok: 0 })
  })

  test.each<[string, string, string]>([
    [
      'a price by half',
      `${TIERS}models: { a/b: { price: { inputUsdPerMTok: 1 } } }`,
      '4:25: models.a/b.price.outputUsdPerMTok: is required',
    ],
    [
      'a band without a threshold',
      `${TIERS}models: { a/b: { price: { inputUsdPerMTok: 1, outputUsdPerMTok: 1, bands: [{ inputUsdPerMTok: 1, outputUsdPerMTok: 1 }] } } }`,
      '4:76: models.a/b.price.bands.0.aboveContextTokens: is required',
    ],
    [
      'two bands of one threshold',
      `${TIERS}models:
  a/b:
    price:
      inputUsdPerMTok: 1
      outputUsdPerMTok: 1
      bands:
        - { aboveContextTokens: 9, inputUsdPerMTok: 1, outputUsdPerMTok: 1 }
        - { aboveContextTokens: 9, inputUsdPerMTok: 2, outputUsdPerMTok: 1 }`,
      '11:33: models.a/b.price.bands.1.aboveContextTokens: has a band already',
    ],
    [
      'a negative price',
      price('inputUsdPerMTok: -1, outputUsdPerMTok: 1'),
      '4:44: models.a/b.price.inputUsdPerMTok: must be at least 0, and is -1',
    ],
    [
      'a price that is no number',
      price('inputUsdPerMTok: 1, outputUsdPerMTok: .nan'),
      '4:65: models.a/b.price.outputUsdPerMTok: must be a number, and is NaN',
    ],
    [
      'a price that would be nothing',
      price('inputUsdPerMTok: 0.0000004, outputUsdPerMTok: 1'),
      '4:44: models.a/b.price.inputUsdPerMTok: must be 0 or at least 0.000001, and is 4e-7',
    ],
  ])('refuses %s', (_, text, fault) => {
    expect(faultsOf(text)).toEqual([expect.stringContaining(fault)])
  })
})

function price(rates: string): string {
  return `${TIERS}models: { a/b: { price: { ${rates} } } }`
}
