import { describe, expect, test } from 'vitest'
import { budgetsOf, type Spender } from '../../src/budget/budgets-of.ts'
import { factsOf } from '../../src/budget/facts-of.ts'
import { budget } from './budget.ts'

const HOUR_MS = 60 * 60 * 1000

describe('budgetsOf()', () => {
  const scopes = ['global', 'type:lint', 'tier:fast', 'model:acme/nano', 'key:ci']
  const budgets = scopes.map((scope) => budget({ scope }))
  const all: Spender = { type: 'lint', tier: 'fast', model: 'acme/nano', key: 'ci' }
  const others: readonly [string, Partial<Spender>][] = [
    ['type:lint', { type: 'review' }],
    ['tier:fast', { tier: null }],
    ['model:acme/nano', { model: 'acme/big' }],
    ['key:ci', { key: null }],
  ]
  const found = (spender: Spender) => budgetsOf(budgets, spender).map(({ scope }) => scope)

  test.each(others)('tells who does not pay from %s from those that were looked up before', (scope, more) => {
    expect(found(all)).toEqual(scopes)
    expect(found({ ...all, ...more })).toEqual(scopes.filter((other) => other !== scope))
    expect(found(all)).toEqual(scopes)
    expect(budgetsOf([budgets[0]!], all)).toEqual([budgets[0]])
  })

  test('knows more kinds than it remembers', () => {
    for (let key = 0; key < 40; key += 1)
      expect(found({ ...all, key: `k${key}` })).toEqual(scopes.slice(0, 4))
    expect(found(all)).toEqual(scopes)
  })
})

describe('factsOf()', () => {
  test('has the windows around the time that is asked for, whatever was asked for before', () => {
    const { starts } = factsOf(budget({ per: 'hour' }))
    const hours = [-1, 0, 1, 2]

    for (const at of [10, 10.5, 11, 12, 10.999, 9, 400])
      expect(starts(at * HOUR_MS)).toEqual(hours.map((hour) => (Math.floor(at) + hour) * HOUR_MS))
    expect(factsOf(budget({ per: 'once' })).starts(HOUR_MS)).toEqual([0])
  })
})
