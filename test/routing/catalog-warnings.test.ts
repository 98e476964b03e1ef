import { expect, test } from 'vitest'
import { catalogWarnings } from '../../src/routing/catalog-warnings.ts'
import { configOf } from '../config/parsed.ts'
import { acmeCatalog, acmeTable } from './acme.ts'

test('catalogWarnings() names each place of a model that is not offered, with the nearest', () => {
  expect(catalogWarnings(acmeTable(), acmeCatalog)).toEqual([
    expect.stringMatching(
      /^tiers\.powerful\.models: "acme\/gone" is not offered by the OpenCode server; nearest: /,
    ),
    expect.stringMatching(/^tiers\.broken\.models: "acme\/gone" is not offered/),
    expect.stringMatching(/^routes\.void: "globex\/deap" is not offered .*; nearest: globex\/deep/),
  ])
})

test('catalogWarnings() looks at rules, limits, prices and budgets too', () => {
  const { table } = configOf(`tiers: { fast: { models: [acme/nano] } }
rules: [{ when: { key: ci }, model: acme/bigg }]
models:
  globx: { concurrency: 1 }
  acme/nanno: { price: { inputUsdPerMTok: 1, outputUsdPerMTok: 1 } }
  acme: { concurrency: 1 }
budgets:
  - { scope: "provider:acne", per: day, limitUsd: 5 }
  - { scope: "model:acme/nano", per: day, limitUsd: 5 }
  - { scope: global, per: day, limitUsd: 5 }
`)

  expect(catalogWarnings(table, acmeCatalog)).toEqual([
    expect.stringMatching(/^rules\.0: "acme\/bigg" is not offered .*; nearest: acme\/big/),
    expect.stringMatching(/^models: "acme\/nanno" is not offered .*; nearest: acme\/nano/),
    'models: "globx" is not offered by the OpenCode server; nearest: globex, acme',
    'tierline.yaml:8:5: budgets.0: "acne" is not offered by the OpenCode server; nearest: acme, globex',
  ])
})
