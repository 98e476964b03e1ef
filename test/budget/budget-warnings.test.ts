import { describe, expect, test } from 'vitest'
import { budgetWarnings } from '../../src/budget/budget-warnings.ts'
import type { CatalogModel } from '../../src/catalog/catalog.ts'
import { configOf } from '../config/parsed.ts'
import { catalogModel, catalogOf } from '../routing/acme.ts'

const TABLE = `tiers:
  fast: { models: [acme/nano] }
  powerful: { models: [acme/big, acme/nano] }
routes: { lint: fast, docs: powerful, translate: globex/deep }
budgets:
`
// A step of nano: 8,000 tokens written to the cache at $0.25, 32,000 of output at $1.
const NANO = catalogModel('acme/nano', [0.2, 1])
const BIG = catalogModel('acme/big', [5, 25])
const DEEP = catalogModel('globex/deep', [1, 5], { outputTokens: 1_000 })

describe('budgetWarnings(), a limit below one step', () => {
  test.each([
    [
      'names the dearest model and how many more there are',
      'scope: global, per: day, limitUsd: 0.01',
      'limitUsd is less than one step of acme/big may cost ($0.85), and than one of 2 more models: one task at a time, which may spend more',
    ],
    [
      'knows the output limit of the catalog',
      'scope: "type:translate", per: day, limitUsd: 0.014',
      'limitUsd is less than one step of globex/deep may cost ($0.015000): one task at a time, which may spend more',
    ],
    [
      'looks at the tiers of a tier',
      'scope: "tier:fast", per: day, limitUsd: 0.02',
      'limitUsd is less than one step of acme/nano may cost ($0.034000): one task at a time, which may spend more',
    ],
    [
      'looks at the model that is named',
      'scope: "model:acme/big", per: day, limitUsd: 0.8',
      'limitUsd is less than one step of acme/big may cost ($0.85): one task at a time, which may spend more',
    ],
  ])('%s', (_, budget, warning) => {
    expect(warningsOf(budget)).toEqual([`tierline.yaml:6:5: budgets.0: ${warning}`])
  })

  test.each([
    'scope: global, per: day, limitUsd: 0.85',
    'scope: "tier:fast", per: day, limitUsd: 0.034',
    'scope: "provider:globex", per: day, limitUsd: 0.015',
    'scope: "type:lint", per: day, limitUsd: 0.034',
    'scope: global, per: day, limitUsd: 0',
    'scope: "model:acme/gone", per: day, limitUsd: 0.01',
  ])('is silent of { %s }', (budget) => {
    expect(warningsOf(budget)).toEqual([])
  })

  test('counts the price of the file, and the tiers that rules lead a type to', () => {
    const more = `rules:
  - { when: { type: lint, key: ci }, tier: powerful }
models: { acme/big: { price: { inputUsdPerMTok: 0, outputUsdPerMTok: 100 } } }
`

    expect(warningsOf('scope: "type:lint", per: day, limitUsd: 3', more)).toEqual([
      expect.stringContaining('one step of acme/big may cost ($3.20)'),
    ])
  })
})

describe('budgetWarnings(), prices', () => {
  test('tells of models that cost nothing', () => {
    const free = 'models: { acme: { price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } } }\n'

    expect(warningsOf('scope: "tier:powerful", per: day, limitUsd: 5', free)).toEqual([
      'tierline.yaml:6:5: budgets.0: counts nothing: acme/big and acme/nano cost nothing',
    ])
    expect(warningsOf('scope: global, per: day, limitUsd: 5', free)).toEqual([])
  })

  test('tells of models whose price nobody knows, unless they may run', () => {
    const unpriced = [NANO, catalogModel('acme/big', null), DEEP]

    expect(warningsOf('scope: global, per: day, limitUsd: 5', '', unpriced)).toEqual([
      'tierline.yaml:6:5: budgets.0: refuses tasks on acme/big: nobody knows a price; give it one in "models", or say onUnknownPrice: allow',
    ])
    const allowed = 'scope: global, per: day, limitUsd: 5, onUnknownPrice: allow'
    expect(warningsOf(allowed, '', unpriced)).toEqual([])
  })
})

describe('budgetWarnings(), a cheaper tier', () => {
  const NONE =
    'onExceed: downgrade finds no cheaper tier, by the prices that are known now: it refuses instead'
  const down = (scope: string) =>
    `scope: "${scope}", per: day, limitUsd: 5, onExceed: downgrade, downgradeAtPercent: 50`

  test.each<[string, CatalogModel[], string[]]>([
    ['tier:powerful', [NANO, BIG, DEEP], []],
    ['tier:fast', [NANO, BIG, DEEP], [NONE]],
    ['type:lint', [NANO, BIG, DEEP], [NONE]],
    ['type:docs', [NANO, BIG, DEEP], []],
    ['global', [NANO, BIG, DEEP], []],
    ['global', [catalogModel('acme/nano', [5, 25]), BIG, DEEP], [NONE]],
    // Its first model is not offered: what runs there costs the same.
    ['tier:powerful', [NANO, DEEP], [NONE]],
    // A long prompt is only for the last of them, and the others are not cheaper then.
    ['model:acme/nano', [NANO, BIG, DEEP], [NONE]],
    ['provider:acme', [NANO, BIG, DEEP], []],
  ])('of %s is looked for among what is offered', (scope, models, warnings) => {
    expect(warningsOf(down(scope), '', models)).toEqual(
      warnings.map((warning) => `tierline.yaml:6:5: budgets.0: ${warning}`),
    )
  })

  test('counts the models that only longer prompts come to', () => {
    const text = `tiers: { fast: { models: [acme/mini] }, powerful: { models: [acme/big, acme/nano] } }
budgets: [{ ${down('tier:powerful')} }]
`
    const small = catalogModel('acme/big', [0.1, 0.5], { contextTokens: 20_000 })
    const offered = [small, catalogModel('acme/nano', [5, 25]), catalogModel('acme/mini', [1, 5])]

    expect(budgetWarnings(configOf(text).table, catalogOf(offered))).toEqual([])
    expect(budgetWarnings(configOf(text).table, catalogOf([small, offered[2]!]))).toEqual([
      `tierline.yaml:2:11: budgets.0: ${NONE}`,
    ])
  })

  test('is not told of twice where the file itself says so', () => {
    const more = 'models: { acme/nano: { price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } } }\n'
    const { warnings } = configOf(`${TABLE}  - { ${down('type:lint')} }\n${more}`).table

    expect(warnings).toEqual([expect.stringContaining('budgets.0.onExceed')])
    expect(warningsOf(down('type:lint'), more)).toEqual([
      'tierline.yaml:6:5: budgets.0: counts nothing: acme/nano costs nothing',
    ])
  })
})

function warningsOf(budget: string, more = '', models = [NANO, BIG, DEEP]): string[] {
  return budgetWarnings(configOf(`${TABLE}  - { ${budget} }\n${more}`).table, catalogOf(models))
}
