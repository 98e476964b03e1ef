import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { withEveryRule } from '../../src/routing/explain.ts'
import { type RouteRequest, resolveRoute } from '../../src/routing/resolve.ts'
import { covers } from '../../src/routing/rule-covers.ts'
import { findRule } from '../../src/routing/rules.ts'
import type { RouteRule, RoutingRule, RuleConditions } from '../../src/routing/table.ts'
import { tableLimits } from '../../src/routing/table-limits.ts'
import { NO_FACTS, type TaskFacts } from '../../src/routing/task-facts.ts'
import { acmeCatalog, acmeTable, toModel, toTier } from './acme.ts'

describe('findRule()', () => {
  test.each<[string, RuleConditions, string | undefined, Partial<Facts>, boolean]>([
    ['its type', { types: ['lint'] }, 'lint', {}, true],
    ['one of its types', { types: ['lint', 'analysis'] }, 'analysis', {}, true],
    ['another type', { types: ['lint'] }, 'analysis', {}, false],
    ['no type', { types: ['lint'] }, undefined, {}, false],
    ['its key', { keys: ['ci'] }, undefined, { key: 'ci' }, true],
    ['another key', { keys: ['ci'] }, undefined, { key: 'web' }, false],
    ['no key', { keys: ['ci'] }, undefined, {}, false],
    ['its directory', { directories: ['/work'] }, undefined, { directory: '/work' }, true],
    ['a directory below', { directories: ['/work'] }, undefined, { directory: '/work/a/b' }, true],
    ['one that begins alike', { directories: ['/work'] }, undefined, { directory: '/workshop' }, false],
    ['one above', { directories: ['/work/a'] }, undefined, { directory: '/work' }, false],
    ['any below the root', { directories: ['/'] }, undefined, { directory: '/work' }, true],
    ['no directory', { directories: ['/'] }, undefined, {}, false],
    ['one of its directories', { directories: ['/a', '/b'] }, undefined, { directory: '/b' }, true],
    ['a prompt over', { promptTokens: { over: 100 } }, undefined, { tokens: 101 }, true],
    ['a prompt just so long', { promptTokens: { over: 100 } }, undefined, { tokens: 100 }, false],
    ['a prompt at most', { promptTokens: { atMost: 100 } }, undefined, { tokens: 100 }, true],
    ['a prompt that is longer', { promptTokens: { atMost: 100 } }, undefined, { tokens: 101 }, false],
    ['a prompt between', { promptTokens: { over: 10, atMost: 20 } }, undefined, { tokens: 15 }, true],
    ['all of several', { types: ['lint'], keys: ['ci'] }, 'lint', { key: 'ci' }, true],
    ['one of several alone', { types: ['lint'], keys: ['ci'] }, 'lint', { key: 'web' }, false],
  ])('is asked of %s', (_, when, type, facts, matches) => {
    const rules = [{ when, ...toTier('fast') }]

    expect(findRule(type, factsOf(facts), acmeTable({ rules }))?.index).toBe(matches ? 0 : undefined)
  })

  test('takes the first that matches', () => {
    const table = acmeTable({
      rules: [rule({ keys: ['web'] }), rule({ types: ['lint'] }), rule({ keys: ['ci'] })],
    })

    expect(findRule('lint', factsOf({ key: 'ci' }), table)?.index).toBe(1)
  })
})

describe('resolveRoute(), with rules', () => {
  const rules: RoutingRule[] = [
    { when: { promptTokens: { over: 60_000 } }, ...toTier('powerful') },
    { when: { directories: ['/work/pay'], types: ['lint'] }, ...toModel('globex/deep') },
    { when: { keys: ['ci'] }, ...toModel('acme/mini') },
  ]
  const table = acmeTable({ rules })

  test.each<[string, RouteRequest, Partial<Facts>, string[]]>([
    [
      'a rule before the type',
      { type: 'lint' },
      { tokens: 60_001 },
      [
        'rule rules.0: tier powerful: about 60001 tokens',
        'candidate acme/big: chosen',
        'candidate acme/mini: next in the chain',
        'candidate acme/gone: skipped: not in the catalog',
      ],
    ],
    [
      'a rule to a model',
      { type: 'lint' },
      { directory: '/work/pay/api' },
      [
        'rule rules.1: model globex/deep: type lint, directory /work/pay/api',
        'queue globex/deep: direct: no tier lists it',
      ],
    ],
    [
      'a rule before the default',
      {},
      { key: 'ci' },
      ['rule rules.2: model acme/mini: key ci', 'queue acme/mini: fast: it lists it'],
    ],
    [
      'the type where no rule matches',
      { type: 'translate' },
      {},
      [
        'rule rules: none of 3 matches',
        'type translate: model globex/deep',
        'queue globex/deep: direct: no tier lists it',
      ],
    ],
    [
      'the tier before a rule',
      { tier: 'fast' },
      { key: 'ci' },
      [
        'tier fast: tier fast',
        'rule rules.2: matches, overruled by the tier',
        'candidate acme/nano: chosen',
        'candidate acme/mini: next in the chain',
      ],
    ],
    [
      'the model before a rule',
      { model: 'acme/big', type: 'lint' },
      { key: 'ci' },
      [
        'model acme/big: pinned, without a chain',
        'queue acme/big: powerful: it lists it',
        'rule rules.2: matches, overruled by the model',
        'type lint: known, overruled by the model',
      ],
    ],
  ])('takes %s', (_, request, facts, steps) => {
    expect(told(resolveRoute(request, table, acmeCatalog, factsOf(facts)).steps)).toEqual(steps)
  })

  test('still refuses a type that has no route', () => {
    const rule = { when: { types: ['deploy'] }, ...toTier('fast') }

    expect(() => resolveRoute({ type: 'deploy' }, acmeTable({ rules: [rule] }), acmeCatalog)).toThrow(
      expect.objectContaining({ code: 'unknown_type' }),
    )
  })

  test('names the rule whose model is not offered', () => {
    const rules = [{ when: { keys: ['ci'] }, ...toModel('acme/gone') }]

    expect(() => resolveRoute({}, acmeTable({ rules }), acmeCatalog, factsOf({ key: 'ci' }))).toThrow(
      /^Cannot route by rules\.0: the OpenCode server does not offer its model "acme\/gone"/,
    )
  })

  test('names the rule that leads to models that are too small', () => {
    const facts = factsOf({ key: 'ci', tokens: 168_001 })
    const refused = (to: RouteRule) => () =>
      resolveRoute({}, acmeTable({ rules: [{ when: { keys: ['ci'] }, ...to }] }), acmeCatalog, facts)

    expect(refused(toTier('balanced'))).toThrow(
      expect.objectContaining({
        message:
          'Cannot route by rules.0 to the tier "balanced": the longest message has about 168001 tokens; acme/base takes 168000',
        errors: [expect.not.objectContaining({ rule: 'rules.0' })],
      }),
    )
    expect(refused(toModel('acme/big'))).toThrow(
      /^Cannot route by rules\.0 to the model "acme\/big": the long/,
    )
  })

  test('keeps the route of a task small, however many rules there are', () => {
    const many = Array.from({ length: 200 }, (_, index) => rule({ keys: [`key${index}`] }))
    const bare = resolveRoute({ type: 'lint' }, acmeTable(), acmeCatalog)
    const route = resolveRoute({ type: 'lint' }, acmeTable({ rules: many }), acmeCatalog)

    expect(route.steps).toHaveLength(bare.steps.length + 1)
  })
})

describe('tableLimits()', () => {
  const table = acmeTable({
    rules: [{ when: { keys: ['ci'] }, ...toTier('fast'), timeoutMs: 5_000, maxSteps: 3 }],
    routes: new Map([
      ['lint', { ...toTier('fast'), timeoutMs: 9_000, maxCostMicroUsd: 7, silenceMs: 4_000 }],
      ['bare', toTier('fast')],
    ]),
  })

  test.each<[string | undefined, string | null, object]>([
    ['lint', 'ci', { timeoutMs: 5_000, maxSteps: 3, maxCostMicroUsd: 7, silenceMs: 4_000 }],
    ['lint', null, { timeoutMs: 9_000, maxCostMicroUsd: 7, silenceMs: 4_000 }],
    [undefined, 'ci', { timeoutMs: 5_000, maxSteps: 3, maxCostMicroUsd: null }],
    ['bare', null, { timeoutMs: null, maxCostMicroUsd: null }],
    [undefined, null, { timeoutMs: null, maxCostMicroUsd: null }],
  ])('of type %s and key %s', (type, key, limits) => {
    expect(tableLimits(type, factsOf({ key }), table)).toMatchObject(limits)
  })
})

describe('withEveryRule()', () => {
  test('says of each why it did or did not match', () => {
    const table = acmeTable({
      rules: [
        rule({ keys: ['web', 'app'], types: ['analysis'] }),
        rule({ directories: ['/work'] }),
        rule({ types: ['lint'] }),
        rule({ promptTokens: { over: 100, atMost: 900 } }),
        rule({ promptTokens: { over: 400 } }),
      ],
    })
    const facts = factsOf({ tokens: 500 })
    const route = resolveRoute({ type: 'lint' }, table, acmeCatalog, facts)

    expect(told(withEveryRule(route, table, facts).steps).slice(0, 5)).toEqual([
      'rule rules.0: does not match: type lint, not type analysis; no key, not key web or app',
      'rule rules.1: does not match: no directory, not directory /work',
      'rule rules.2: tier fast: type lint',
      'rule rules.3: matches too, after rules.2: about 500 tokens',
      'rule rules.4: matches too, after rules.2: about 500 tokens',
    ])
  })

  test('says it also where the task names its own tier', () => {
    const table = acmeTable({ rules: [rule({ keys: ['ci'] })] })
    const route = resolveRoute({ tier: 'fast', type: 'lint' }, table, acmeCatalog)

    expect(told(withEveryRule(route, table, NO_FACTS).steps).slice(0, 3)).toEqual([
      'tier fast: tier fast',
      'rule rules.0: does not match: no key, not key ci',
      'type lint: known, overruled by the tier',
    ])
  })

  test('changes nothing where there are no rules', () => {
    const route = resolveRoute({ type: 'lint' }, acmeTable(), acmeCatalog)

    expect(withEveryRule(route, acmeTable(), NO_FACTS)).toBe(route)
  })
})

describe('rules, whatever they are', () => {
  const type = fc.constantFrom('lint', 'analysis', 'summarize')
  const key = fc.constantFrom('ci', 'web', 'app')
  const directory = fc.constantFrom('/', '/work', '/work/a', '/work/a/b', '/workshop', '/home')
  const tokens = fc.integer({ min: 0, max: 40 })
  const some = <T>(one: fc.Arbitrary<T>) => fc.uniqueArray(one, { minLength: 1, maxLength: 3 })
  const when = fc
    .record(
      {
        types: some(type),
        keys: some(key),
        directories: some(directory),
        promptTokens: fc.record({ over: tokens, atMost: tokens }, { requiredKeys: [] }),
      },
      { requiredKeys: [] },
    )
    .map((conditions) => conditions as RuleConditions)
  const target = fc.constantFrom(toTier('fast'), toTier('powerful'), toModel('globex/deep'))
  const rules = fc.array(
    fc.tuple(when, target).map(([conditions, to]): RoutingRule => ({ when: conditions, ...to })),
    { maxLength: 8 },
  )
  const request = fc.record({ type, tier: fc.constant('balanced') }, { requiredKeys: [] })
  const facts = fc
    .record({ tokens, directory: fc.option(directory), key: fc.option(key) })
    .map((given) => factsOf(given))

  test('explain and resolve agree', () => {
    fc.assert(
      fc.property(rules, request, facts, (given, asked, task) => {
        const table = acmeTable({ rules: given })
        const route = resolveRoute(asked, table, acmeCatalog, task)
        const full = withEveryRule(route, table, task)
        const found = findRule(asked.type, task, table)
        const steps = full.steps.filter(({ step }) => step === 'rule')

        expect({ ...full, steps: [] }).toEqual({ ...route, steps: [] })
        expect(steps.map(({ input }) => input)).toEqual(given.map((_, index) => `rules.${index}`))
        expect(steps.findIndex(({ outcome }) => !/^(does not match|matches too)/.test(outcome))).toBe(
          found?.index ?? -1,
        )
        // What is told without the rules is what was told with them.
        const others = (all: typeof steps) => all.filter(({ step }) => step !== 'rule')
        expect(others(full.steps)).toEqual(others(route.steps))
        if (found !== undefined && asked.tier === undefined)
          expect([route.tier, route.model]).toContain(found.rule.tier ?? found.rule.model)
      }),
    )
  })

  test('a rule that another covers never decides after it', () => {
    fc.assert(
      fc.property(when, when, request, facts, (wide, narrow, asked, task) => {
        fc.pre(covers(wide, narrow))
        const matches = (conditions: RuleConditions) =>
          findRule(asked.type, task, acmeTable({ rules: [rule(conditions)] })) !== undefined

        expect(matches(narrow) && !matches(wide)).toBe(false)
      }),
    )
  })
})

interface Facts {
  tokens: number
  directory: string | null
  key: string | null
}

function factsOf({ tokens = 1, directory = null, key = null }: Partial<Facts>): TaskFacts {
  return { prompt: { totalTokens: tokens, longestTokens: tokens }, directory, key }
}

function rule(when: RuleConditions): RoutingRule {
  return { when, ...toTier('fast') }
}

function told(steps: readonly { step: string; input: string; outcome: string }[]): string[] {
  return steps.map(({ step, input, outcome }) => `${step} ${input}: ${outcome}`)
}
