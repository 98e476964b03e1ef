import { describe, expect, test } from 'vitest'
import { catalogOf } from '../../src/sessions/opencode/catalog.ts'
import { Providers } from '../../src/sessions/opencode/wire.ts'

describe('catalogOf()', () => {
  test('turns prices into integers of micro-USD', () => {
    const { models } = catalogOf(
      offer({ cost: { input: 0.1, output: 0.45, cache: { read: 0.01, write: 0.125 } } }),
      [],
      {},
      [],
    )
    expect(models[0]?.price).toEqual({
      inputMicroUsdPerMTok: 100_000,
      outputMicroUsdPerMTok: 450_000,
      cacheReadMicroUsdPerMTok: 10_000,
      cacheWriteMicroUsdPerMTok: 125_000,
    })
  })

  test('takes the prices of long prompts, lowest first', () => {
    const band = (size: number, input: number, type = 'context') => ({
      ...{ input, output: 18, cache: { read: 0.4, write: 0 } },
      tier: { type, size },
    })
    const cost = { input: 2, output: 12, cache: { read: 0.2, write: 0 } }
    const long = { input: 3, output: 18, cache: { read: 0.4, write: 0 } }
    const bandsOf = (more: object) =>
      catalogOf(offer({ cost: { ...cost, ...more } }), [], {}, []).models[0]?.price?.bands?.map(
        ({ aboveContextTokens, inputMicroUsdPerMTok }) => [aboveContextTokens, inputMicroUsdPerMTok],
      )

    expect(bandsOf({ tiers: [band(500_000, 8), band(272_000, 4), band(9, 9, 'batch')] })).toEqual([
      [272_000, 4_000_000],
      [500_000, 8_000_000],
    ])
    expect(bandsOf({ tiers: [band(200_000, 4)], experimentalOver200K: long })).toEqual([[200_000, 4_000_000]])
    expect(bandsOf({ experimentalOver200K: long })).toEqual([[200_000, 3_000_000]])
    expect(bandsOf({})).toBeUndefined()
    expect(bandsOf({ tiers: 'of another shape' })).toBeUndefined()
  })

  test('takes a price of 0 for unknown, unless the provider is free', () => {
    const free = offer({ cost: { input: 0, output: 0, cache: { read: 0, write: 0 } } })
    expect(catalogOf(free, [], {}, []).models[0]?.price).toBeNull()
    expect(catalogOf(offer({}), [], {}, []).models[0]?.price).toBeNull()
    expect(catalogOf(free, [], {}, ['acme']).models[0]?.price).toMatchObject({ inputMicroUsdPerMTok: 0 })
  })

  test('keeps models that are not active, and says so', () => {
    expect(catalogOf(offer({ status: 'deprecated' }), [], {}, []).models[0]?.active).toBe(false)
    expect(catalogOf(offer({}), [], {}, []).models[0]).toMatchObject({
      active: true,
      tools: false,
      contextTokens: 0,
    })
  })

  test('takes the configured default, else the first provider’s', () => {
    expect(catalogOf(offer({}), [], { model: 'acme/big' }, []).defaultModel).toBe('acme/big')
    expect(catalogOf(offer({}), [], {}, []).defaultModel).toBe('acme/org/nano')
    expect(catalogOf({ providers: [], default: {} }, [], {}, []).defaultModel).toBeNull()
  })

  test('lists the agents that a message may be sent to, and those that it may only mention', () => {
    const agents = [
      { name: 'build', mode: 'primary', hidden: false },
      { name: 'both', mode: 'all', hidden: false },
      { name: 'explore', mode: 'subagent', hidden: false },
      { name: 'title', mode: 'primary', hidden: true },
    ]
    expect(catalogOf(offer({}), agents, {}, [])).toMatchObject({
      agents: ['build', 'both'],
      subagents: ['explore'],
    })
  })

  test('holds nothing of a provider’s options', () => {
    expect(JSON.stringify(catalogOf(offer({}), [], {}, []))).not.toContain('secret')
  })
})

function offer(model: Record<string, unknown>): Providers {
  return Providers.parse({
    providers: [
      { id: 'acme', options: { apiKey: 'secret' }, models: { 'org/nano': { id: 'org/nano', ...model } } },
    ],
    default: { acme: 'org/nano' },
  })
}
