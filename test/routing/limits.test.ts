import { describe, expect, test } from 'vitest'
import { limitsFor } from '../../src/routing/limits-for.ts'
import type { Caps } from '../../src/routing/table.ts'
import { tierConcurrency } from '../../src/routing/tier-concurrency.ts'
import type { ModelID } from '../../src/tasks/model-id.ts'

describe('limitsFor()', () => {
  const table = caps({ 'model:acme/nano': 1, 'provider:acme': 2, 'key:ci': 3 })

  test.each<[ModelID, string | null, string[]]>([
    ['acme/nano', 'ci', ['model:acme/nano', 'provider:acme', 'key:ci']],
    ['acme/big', 'ui', ['provider:acme']],
    ['globex/nano', null, []],
  ])('%s with the key %s has %j', (model, key, expected) => {
    expect(limitsFor(model, key, table)).toEqual(expected)
  })

  test('gives each key that is not named the limit of all', () => {
    expect(limitsFor('globex/nano', 'ui', caps({ 'key:*': 1 }))).toEqual(['key:ui'])
    expect(limitsFor('globex/nano', null, caps({ 'key:*': 1 }))).toEqual([])
  })

  const CAPS: Caps = { concurrency: 1, requestsPerMinute: null, tokensPerMinute: null }
  const ci = ['key:ci']
  const acme = ['provider:acme']
  const big = ['model:acme/big', ...acme]

  test('tells models, keys and tables apart that it was asked for before', () => {
    const caps = new Map(['model:acme/big', 'provider:acme', 'key:ci'].map((name) => [name, CAPS]))
    const others = new Map([['model:acme/nano', CAPS]])
    const asked: [ModelID, string | null, ReadonlyMap<string, Caps>, string[]][] = [
      ['acme/big', 'ci', caps, [...big, ...ci]],
      ['acme/big', 'other', caps, big],
      ['acme/big', null, caps, big],
      ['acme/nano', 'ci', caps, [...acme, ...ci]],
      ['acme/nano', null, caps, acme],
      ['acme/nano', null, others, ['model:acme/nano']],
      ['globex/big', 'ci', caps, ci],
      ['globex/big', null, caps, []],
      ['globex/big', null, new Map([...caps, ['key:*', CAPS]]), []],
    ]

    for (const _ of ['asked', 'known'])
      for (const [model, key, table, names] of asked)
        expect([model, key, limitsFor(model, key, { caps: table })]).toEqual([model, key, names])
  })

  test('gives each key one of its own where all have a limit, however many there are', () => {
    const caps = new Map([['key:*', CAPS]])
    // More than are remembered.
    for (let key = 0; key < 40; key += 1)
      expect(limitsFor('acme/big', `k${key}`, { caps })).toEqual([`key:k${key}`])

    expect(limitsFor('acme/big', 'k39', { caps })).toBe(limitsFor('acme/big', 'k39', { caps }))
    expect(limitsFor('acme/big', 'k0', { caps })).toEqual(['key:k0'])
  })
})

describe('tierConcurrency() is the smaller of', () => {
  test.each<[string, number | null, ModelID[], Record<string, number>, number | null]>([
    ['its own and nothing', 8, ['acme/nano'], {}, 8],
    ['nothing and nothing', null, ['acme/nano'], {}, null],
    ['its own and that of its model', 8, ['acme/nano'], { 'model:acme/nano': 2 }, 2],
    ['its own and those of its models', 8, ['acme/nano', 'acme/mini'], nanoAndMini(), 5],
    ['nothing and a model without limit', null, ['acme/nano', 'acme/big'], nanoAndMini(), null],
    [
      'its models and their provider',
      8,
      ['acme/nano', 'acme/mini'],
      { ...nanoAndMini(), 'provider:acme': 4 },
      4,
    ],
    ['two providers', null, ['acme/nano', 'globex/a'], { 'provider:acme': 4, 'provider:globex': 3 }, 7],
    ['its own, without a model', 8, [], { 'provider:acme': 4 }, 8],
  ])('%s', (_, concurrency, models, limits, expected) => {
    expect(tierConcurrency({ name: 'fast', models, concurrency }, caps(limits))).toBe(expected)
  })
})

function nanoAndMini(): Record<string, number> {
  return { 'model:acme/nano': 2, 'model:acme/mini': 3 }
}

function caps(concurrency: Record<string, number>): { caps: ReadonlyMap<string, Caps> } {
  const all = Object.entries(concurrency).map(([name, count]): [string, Caps] => [
    name,
    { concurrency: count, requestsPerMinute: null, tokensPerMinute: null },
  ])
  return { caps: new Map(all) }
}
