import { describe, expect, test } from 'vitest'
import { configOf, faultsOf, TIERS } from './parsed.ts'

const PRICED = `${TIERS}models:
  acme: { price: { inputUsdPerMTok: 1, outputUsdPerMTok: 5 } }
  globex: { price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } }
`

describe('parseFile(), budgets', () => {
  test('gives them in their order, with the place of each', () => {
    const { table } = configOf(`${TIERS}routes: { lint: { tier: fast, maxCostUsd: 1 } }
budgets:
  - { scope: global, per: day, limitUsd: 50, timeZone: Europe/Berlin }
  - { scope: "type:lint", per: hour, limitUsd: 1, onExceed: downgrade, downgradeAtPercent: 80 }
`)

    expect(table.budgets).toEqual([
      {
        scope: 'global',
        per: 'day',
        limitMicroUsd: 50_000_000,
        timeZone: 'Europe/Berlin',
        onExceed: 'reject',
        downgradeAtPercent: null,
        onUnknownPrice: 'reject',
        place: 'tierline.yaml:6:5: budgets.0',
      },
      {
        scope: 'type:lint',
        per: 'hour',
        limitMicroUsd: 1_000_000,
        timeZone: 'UTC',
        onExceed: 'downgrade',
        downgradeAtPercent: 80,
        onUnknownPrice: 'reject',
        place: 'tierline.yaml:7:5: budgets.1',
      },
    ])
    expect(table.warnings).toEqual([])
  })

  test.each<[string, string, string]>([
    [
      'a negative budget',
      budget('global, per: day, limitUsd: -5'),
      '5:42: budgets.0.limitUsd: must be at least 0, and is -5',
    ],
    [
      'a budget that is no number',
      budget('global, per: day, limitUsd: .nan'),
      '5:42: budgets.0.limitUsd: must be a number, and is NaN',
    ],
    [
      'an endless budget',
      budget('global, per: day, limitUsd: .inf'),
      '5:42: budgets.0.limitUsd: must be a number, and is Infinity',
    ],
    [
      'an unknown window',
      budget('global, per: week, limitUsd: 5'),
      '5:27: budgets.0.per: must be one of hour, day, month, once, and is "week"',
    ],
    [
      'an unknown scope',
      budget('user:me, per: day, limitUsd: 5'),
      '5:14: budgets.0.scope: must be global, type:NAME, ',
    ],
    [
      'a scope of no tier',
      budget('tier:fst, per: day, limitUsd: 5'),
      '5:14: budgets.0.scope: names the tier "fst", which does not exist; nearest: fast, balanced',
    ],
    [
      'a scope of no type',
      budget('type:lint, per: day, limitUsd: 5'),
      '5:14: budgets.0.scope: names the task type "lint", which has no route',
    ],
    [
      'a time zone of no place',
      budget('global, per: day, limitUsd: 5, timeZone: Mars/Base'),
      '5:55: budgets.0.timeZone: must be a time zone such as "Europe/Berlin", and is "Mars/Base"',
    ],
    [
      'a percentage without downgrade',
      budget('global, per: day, limitUsd: 5, downgradeAtPercent: 80'),
      '5:65: budgets.0.downgradeAtPercent: means something only with onExceed: downgrade',
    ],
    [
      'two budgets of one scope',
      `${budget('global, per: day, limitUsd: 5')}  - { scope: global, per: day, limitUsd: 6 }`,
      '6:14: budgets.1.scope: has a budget per day already: budgets.0',
    ],
    [
      'a wait for a window that never comes',
      budget('global, per: once, limitUsd: 5, onExceed: queue'),
      '5:56: budgets.0.onExceed: would wait for ever: a budget for once has no next window',
    ],
    [
      'a cheaper tier where there is one tier',
      `tiers: { fast: { models: [a/b] } }\nbudgets:\n  - { scope: global, per: day, limitUsd: 5, onExceed: downgrade }\n`,
      '3:55: budgets.0.onExceed: needs a cheaper tier, and there is only one',
    ],
    [
      'a model without its provider',
      budget('"model:nano", per: day, limitUsd: 5'),
      '5:14: budgets.0.scope: must be global, type:NAME, ',
    ],
    [
      'a task that may cost nothing',
      `${TIERS}routes: { lint: { tier: fast, maxCostUsd: 0 } }`,
      '4:43: routes.lint.maxCostUsd: must be at least 0.000001, and is 0',
    ],
    [
      'a limit that is less than can be counted',
      budget('global, per: day, limitUsd: 0.0000001'),
      '5:42: budgets.0.limitUsd: must be 0 or at least 0.000001, and is 1e-7',
    ],
    [
      'a limit in words',
      budget('global, per: day, limitUsd: $5'),
      '5:42: budgets.0.limitUsd: must be a number, and is "$5"',
    ],
    ['no limit', budget('global, per: day'), '5:5: budgets.0.limitUsd: is required'],
    [
      'a percentage of nothing',
      budget('global, per: day, limitUsd: 5, onExceed: downgrade, downgradeAtPercent: 0'),
      '5:86: budgets.0.downgradeAtPercent: must be at least 1, and is 0',
    ],
    [
      'a scope without a name',
      budget('"tier:", per: day, limitUsd: 5'),
      '5:14: budgets.0.scope: must be global, type:NAME, ',
    ],
    [
      'a scope in capitals',
      budget('Global, per: day, limitUsd: 5'),
      '5:14: budgets.0.scope: must be global, type:NAME, ',
    ],
    [
      'a task whose limit is no number',
      `${TIERS}routes: { lint: { tier: fast, maxCostUsd: .nan } }`,
      '4:43: routes.lint.maxCostUsd: must be a number, and is NaN',
    ],
    [
      'a task that must earn',
      `${TIERS}routes: { lint: { tier: fast, maxCostUsd: -1 } }`,
      '4:43: routes.lint.maxCostUsd: must be at least 0.000001, and is -1',
    ],
    [
      'a way out of a model that no tier has',
      budget('"model:acme/big", per: day, limitUsd: 5, onExceed: downgrade'),
      '5:65: budgets.0.onExceed: needs a cheaper tier, and no tier has a model of this scope',
    ],
    [
      'a way out of a provider that no tier has',
      budget('"provider:other", per: day, limitUsd: 5, onExceed: downgrade'),
      '5:65: budgets.0.onExceed: needs a cheaper tier, and no tier has a model of this scope',
    ],
    [
      'a way down from the cheapest tier',
      `${PRICED}budgets:\n  - { scope: "model:globex/fast", per: day, limitUsd: 5, onExceed: downgrade }\n`,
      '8:68: budgets.0.onExceed: needs a cheaper tier, and none can be cheaper, as this file has tiers and prices',
    ],
    [
      'a way down where all tiers have the same model',
      `tiers: { a: { models: [x/y] }, b: { models: [x/y] } }\nbudgets:\n  - { scope: global, per: day, limitUsd: 5, onExceed: downgrade }\n`,
      '3:55: budgets.0.onExceed: needs a cheaper tier, and none can be cheaper, as this file has tiers and prices',
    ],
  ])('refuses %s', (_, text, fault) => {
    const faults = faultsOf(text)

    expect(faults).toEqual([expect.stringContaining(fault)])
  })

  test('says of an unknown tier nothing more than that', () => {
    expect(faultsOf(budget('tier:fst, per: day, limitUsd: 5, onExceed: downgrade'))).toHaveLength(1)
  })

  test('knows no prices where the tiers are wrong', () => {
    const text = `tiers: { a: { models: [x] }, b: { models: [y] } }\nbudgets:\n  - { scope: global, per: day, limitUsd: 5, onExceed: downgrade }\n`

    expect(faultsOf(text).join()).not.toContain('budgets')
  })

  test('takes a limit of a task below what any step costs', () => {
    const { routes } = configOf(`${PRICED}routes: { lint: { tier: fast, maxCostUsd: 0.000001 } }`).table

    expect(routes.get('lint')?.maxCostMicroUsd).toBe(1)
  })
})

describe('parseFile(), budgets that are probably not meant so', () => {
  test.each<[string, string, string]>([
    [
      'a longer window that allows no more',
      `${TIERS}budgets:
  - { scope: global, per: day, limitUsd: 5 }
  - { scope: global, per: hour, limitUsd: 5 }`,
      '6:43: budgets.1.limitUsd: is never reached: the budget per day allows $5',
    ],
    [
      'nothing',
      budget('global, per: day, limitUsd: 0'),
      '5:42: budgets.0.limitUsd: is 0: all these tasks are refused, but those of models that are free',
    ],
    [
      'a cheaper tier when nothing is left for any',
      budget('key:ci, per: day, limitUsd: 5, onExceed: downgrade'),
      '5:55: budgets.0.onExceed: refuses when all is spent, since a cheaper tier counts too: name a downgradeAtPercent below 100',
    ],
    [
      'a key that does not exist',
      budget('key:cj, per: day, limitUsd: 5'),
      '5:14: budgets.0.scope: counts nothing of the key "cj": TIERLINE_API_KEYS has no such name; nearest: ci',
    ],
    [
      'a way down for a type that goes to a model',
      `${TIERS}routes: { lint: acme/nano }
budgets:
  - { scope: "type:lint", per: day, limitUsd: 5, onExceed: downgrade, downgradeAtPercent: 80 }`,
      '6:60: budgets.0.onExceed: moves only tasks that name a tier: the type goes to a model, and stays with it',
    ],
    [
      'a way down for a type that goes to the cheapest tier',
      `${PRICED.replace('fast: { models: [acme/nano, globex/fast]', 'fast: { models: [globex/fast]')}routes: { lint: fast, docs: balanced }
budgets:
  - { scope: "type:lint", per: day, limitUsd: 5, onExceed: downgrade, downgradeAtPercent: 80 }
  - { scope: "type:docs", per: day, limitUsd: 5, onExceed: downgrade, downgradeAtPercent: 80 }`,
      '9:60: budgets.0.onExceed: moves only tasks that name a tier: the type goes to fast, and no other is cheaper',
    ],
  ])('warns of %s', (_, text, warning) => {
    expect(configOf(text, ['ci']).table.warnings).toEqual([`tierline.yaml:${warning}`])
  })

  test('does not guess what may be cheaper, nor which keys there are', () => {
    const { table } = configOf(`${TIERS}routes: { lint: fast }
rules:
  - { when: { directory: /a }, tier: balanced }
budgets:
  - { scope: "type:lint", per: day, limitUsd: 0.001, onExceed: downgrade, downgradeAtPercent: 80 }
  - { scope: "tier:fast", per: day, limitUsd: 0.001, onExceed: downgrade }
  - { scope: "key:nobody", per: day, limitUsd: 0.001 }
`)

    expect(table.warnings).toEqual([])
  })
})

function budget(scope: string): string {
  return `${TIERS}budgets:\n  - { scope: ${scope} }\n`
}
