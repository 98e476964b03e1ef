import { describe, expect, test } from 'vitest'
import { TierlineError } from '../../src/errors.ts'
import { roomTokens } from '../../src/routing/context-fit.ts'
import { queueOf } from '../../src/routing/queue-of.ts'
import { isPinned, type RouteRequest, resolveMessageModel, resolveRoute } from '../../src/routing/resolve.ts'
import { NO_FACTS, type TaskFacts } from '../../src/routing/task-facts.ts'
import { Route } from '../../src/tasks/route.ts'
import { acmeCatalog, acmeTable, catalogModel, catalogOf } from './acme.ts'

describe('resolveRoute()', () => {
  test.each<[string, RouteRequest, string | null, string, string[]]>([
    ['the type to its tier', { type: 'lint' }, 'fast', 'acme/nano', ['acme/mini']],
    [
      'the type to its model, in the first tier that lists it',
      { type: 'summarize' },
      'fast',
      'acme/mini',
      [],
    ],
    ['the type to its model, in no tier', { type: 'translate' }, null, 'globex/deep', []],
    ['the tier before the type', { type: 'lint', tier: 'powerful' }, 'powerful', 'acme/big', ['acme/mini']],
    [
      'the model before the type, in its own tier',
      { type: 'lint', model: 'acme/big' },
      'powerful',
      'acme/big',
      [],
    ],
    [
      'the model in the tier given, listed there or not',
      { tier: 'fast', model: 'acme/big' },
      'fast',
      'acme/big',
      [],
    ],
    ['a model of two tiers in the first', { model: 'acme/mini' }, 'fast', 'acme/mini', []],
    ['a model of no tier directly', { model: 'globex/fast' }, null, 'globex/fast', []],
    ['nothing given to the default', {}, 'balanced', 'acme/base', []],
  ])('routes %s', (_, request, tier, model, chain) => {
    const route = resolveRoute(request, acmeTable(), acmeCatalog)

    expect(route).toMatchObject({ generation: 3, requested: request, tier, model, chain })
    expect(Route.parse(route)).toEqual(route)
  })

  test.each<[string, RouteRequest, string[]]>([
    [
      'a type',
      { type: 'lint' },
      ['type lint: tier fast', 'candidate acme/nano: chosen', 'candidate acme/mini: next in the chain'],
    ],
    [
      'a type with a model',
      { type: 'translate' },
      ['type translate: model globex/deep', 'queue globex/deep: direct: no tier lists it'],
    ],
    [
      'a model that a tier lacks',
      { tier: 'powerful', type: 'lint' },
      [
        'tier powerful: tier powerful',
        'type lint: known, overruled by the tier',
        'candidate acme/big: chosen',
        'candidate acme/mini: next in the chain',
        'candidate acme/gone: skipped: not in the catalog',
      ],
    ],
    [
      'all three',
      { tier: 'fast', type: 'lint', model: 'acme/big' },
      [
        'model acme/big: pinned, without a chain',
        'tier fast: queue fast',
        'type lint: known, overruled by the model',
      ],
    ],
    [
      'a model alone',
      { model: 'acme/mini' },
      ['model acme/mini: pinned, without a chain', 'queue acme/mini: fast: it lists it'],
    ],
    ['nothing', {}, ['default balanced: tier balanced', 'candidate acme/base: chosen']],
  ])('tells every step for %s', (_, request, steps) => {
    const route = resolveRoute(request, acmeTable(), acmeCatalog)

    expect(route.steps.map(({ step, input, outcome }) => `${step} ${input}: ${outcome}`)).toEqual(steps)
  })

  test('skips models that are not offered, the first too', () => {
    const route = resolveRoute({ tier: 'fast' }, acmeTable(), catalogOf(['acme/mini']))

    expect(route).toMatchObject({ model: 'acme/mini', chain: [] })
    expect(route.steps).toContainEqual({
      step: 'candidate',
      input: 'acme/nano',
      outcome: 'skipped: not in the catalog',
    })
  })

  test.each<[string, RouteRequest, string, object]>([
    [
      'type',
      { type: 'lnt' },
      'unknown_type',
      { field: 'type', given: 'lnt', allowed: expect.arrayContaining(['lint']) },
    ],
    ['type beside a good tier', { type: 'lnt', tier: 'fast' }, 'unknown_type', { field: 'type' }],
    ['type beside a good model', { type: 'lnt', model: 'acme/big' }, 'unknown_type', { field: 'type' }],
    ['tier', { tier: 'power' }, 'unknown_tier', { field: 'tier', given: 'power' }],
    ['tier beside a good model', { tier: 'power', model: 'acme/big' }, 'unknown_tier', { field: 'tier' }],
    ['model', { model: 'acme/bigg' }, 'unknown_model', { field: 'model', given: 'acme/bigg' }],
  ])('refuses an unknown %s', (_, request, code, field) => {
    expect(errorOf(request)).toMatchObject({ code, retryable: false, errors: [field] })
  })

  test('names what is nearest first, at most five', () => {
    expect(errorOf({ model: 'acme/bigg' }).errors[0]?.allowed?.[0]).toBe('acme/big')
    expect(errorOf({ tier: 'power' }).errors[0]?.allowed?.[0]).toBe('powerful')
    expect(errorOf({ type: 'lnt' }).errors[0]?.allowed?.[0]).toBe('lint')
    expect(errorOf({ model: 'acme/bigg' }).errors[0]?.allowed).toHaveLength(5)
    expect(errorOf({ model: 'acme/bigg' }).message).toMatch(
      /^Cannot use the model "acme\/bigg": .*; nearest: acme\/big, /,
    )
  })

  test.each<[string, RouteRequest, object]>([
    [
      'a tier',
      { tier: 'broken' },
      { field: 'tier', given: 'broken', allowed: ['fast', 'balanced', 'powerful'] },
    ],
    ['the tier of a type', { type: 'lost' }, { field: 'type', given: 'lost' }],
    ['the model of a type', { type: 'void' }, { field: 'type', given: 'void' }],
  ])('finds no route when %s leads to models that are not offered', (_, request, field) => {
    expect(errorOf(request)).toMatchObject({ code: 'no_route', errors: [field] })
  })

  test('says how to connect a provider when no model is offered at all', () => {
    expect(() => resolveRoute({}, acmeTable(), catalogOf([]))).toThrow(
      /offers no model at all.*opencode auth login/,
    )
  })

  test('walks the catalog once, however many tasks are routed', () => {
    const walks = { count: 0 }
    const { models, ...rest } = catalogOf(['acme/nano', 'acme/mini'])
    const catalog = {
      ...rest,
      get models() {
        walks.count += 1
        return models
      },
    }
    for (let i = 0; i < 10; i += 1) resolveRoute({ type: 'lint' }, acmeTable(), catalog)

    expect(walks.count).toBe(1)
  })
})

describe('resolveMessageModel()', () => {
  test('gives a model that is offered, in a tier or not', () => {
    expect(resolveMessageModel('globex/fast', 'messages.0.model', acmeCatalog)).toBe('globex/fast')
  })

  test('names the message that its model cannot take', () => {
    expect(resolveMessageModel('globex/fast', 'messages.0.model', acmeCatalog, 168_000)).toBe('globex/fast')
    expect(() => resolveMessageModel('globex/fast', 'messages.2.model', acmeCatalog, 168_001)).toThrow(
      expect.objectContaining({
        code: 'prompt_too_long',
        errors: [expect.objectContaining({ field: 'messages.2.model', given: 'globex/fast' })],
      }),
    )
  })

  test('names the message whose model is unknown', () => {
    expect(() => resolveMessageModel('acme/nan', 'messages.2.model', acmeCatalog)).toThrow(
      expect.objectContaining({
        code: 'unknown_model',
        errors: [expect.objectContaining({ field: 'messages.2.model', given: 'acme/nan' })],
      }),
    )
  })
})

describe('isPinned()', () => {
  test.each<[RouteRequest, boolean]>([
    [{ type: 'lint' }, false],
    [{}, false],
    [{ tier: 'balanced' }, false],
    [{ type: 'summarize' }, true],
    [{ tier: 'fast', model: 'acme/nano' }, true],
  ])('%o → %s', (request, pinned) => {
    expect(isPinned(resolveRoute(request, acmeTable(), acmeCatalog))).toBe(pinned)
  })
})

test('queueOf() is the tier, or direct', () => {
  expect(queueOf(resolveRoute({ type: 'lint' }, acmeTable(), acmeCatalog))).toBe('fast')
  expect(queueOf(resolveRoute({ type: 'translate' }, acmeTable(), acmeCatalog))).toBe('direct')
})

describe('resolveRoute(), the length of the prompt', () => {
  const catalog = catalogOf([
    catalogModel('acme/nano', [1, 5], { contextTokens: 20_000, outputTokens: 4_000 }),
    catalogModel('acme/mini', [1, 5], { contextTokens: 100_000, outputTokens: 10_000 }),
    catalogModel('acme/big', [1, 5], { contextTokens: 1_000_000, outputTokens: 128_000 }),
    catalogModel('acme/base', [1, 5], { contextTokens: 0, outputTokens: 0 }),
  ])

  test('skips what cannot take it, and says so in a step', () => {
    const route = resolveRoute({ tier: 'fast' }, acmeTable(), catalog, longest(16_001))

    expect(route).toMatchObject({ model: 'acme/mini', chain: [] })
    expect(route.steps).toContainEqual({
      step: 'candidate',
      input: 'acme/nano',
      outcome: 'skipped: takes 16000 tokens, the prompt has about 16001',
    })
    expect(resolveRoute({ tier: 'fast' }, acmeTable(), catalog, longest(16_000))).toMatchObject({
      model: 'acme/nano',
      chain: ['acme/mini'],
    })
  })

  test('keeps a model out of the chain that cannot take it', () => {
    const route = resolveRoute({ tier: 'powerful' }, acmeTable(), catalog, longest(90_001))

    expect(route).toMatchObject({ model: 'acme/big', chain: [] })
  })

  test('refuses what no model of the tier can take, with their limits and the tiers that could', () => {
    expect(errorOf({ type: 'lint' }, catalog, longest(90_001))).toMatchObject({
      code: 'prompt_too_long',
      retryable: false,
      message:
        'Cannot route to the tier "fast": the longest message has about 90001 tokens; acme/nano takes 16000, acme/mini takes 90000',
      errors: [{ field: 'type', given: 'lint' }],
    })
    expect(errorOf({ tier: 'fast' }, catalog, longest(90_001)).errors).toMatchObject([
      { field: 'tier', given: 'fast', allowed: ['balanced', 'powerful'] },
    ])
  })

  test.each<[string, RouteRequest, object]>([
    ['a model of the task', { model: 'acme/nano' }, { field: 'model', given: 'acme/nano' }],
    ['a model of the type', { type: 'summarize' }, { field: 'type', given: 'summarize' }],
  ])('refuses %s that cannot take it', (_, request, field) => {
    expect(errorOf(request, catalog, longest(100_000))).toMatchObject({
      code: 'prompt_too_long',
      errors: [field],
    })
  })

  test('refuses nothing where the limit is not known', () => {
    expect(resolveRoute({}, acmeTable(), catalog, longest(10_000_000)).model).toBe('acme/base')
  })

  test('speaks of models that are missing, not of the length, where none is offered', () => {
    expect(errorOf({ tier: 'broken' }, catalog, longest(10_000_000)).code).toBe('no_route')
  })

  test('leaves the answer what OpenCode asks for, and half of the context at most', () => {
    const room = (contextTokens: number, outputTokens: number) =>
      roomTokens(catalogModel('acme/nano', null, { contextTokens, outputTokens }))

    expect(room(200_000, 8_000)).toBe(192_000)
    expect(room(200_000, 64_000)).toBe(168_000)
    expect(room(8_192, 8_192)).toBe(4_096)
    expect(room(8_192, 0)).toBe(8_192)
    expect(room(0, 8_192)).toBeUndefined()
    expect(room(Number.NaN, 8_192)).toBeUndefined()
  })
})

function longest(longestTokens: number): TaskFacts {
  return { ...NO_FACTS, prompt: { totalTokens: longestTokens, longestTokens } }
}

function errorOf(request: RouteRequest, catalog = acmeCatalog, facts = NO_FACTS): TierlineError {
  try {
    resolveRoute(request, acmeTable(), catalog, facts)
  } catch (error) {
    if (error instanceof TierlineError) return error
    throw error
  }
  throw new Error('Expected a throw: nothing was thrown')
}
