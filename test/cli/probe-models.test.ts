import { describe, expect } from 'vitest'
import { cheapestOf, renderProbes } from '../../src/cli/commands/models.ts'
import { probeModels } from '../../src/cli/commands/probe-models.ts'
import { createClient } from '../../src/client/index.ts'
import { createMemoryBackend, MEMORY_CATALOG } from '../doubles/memory-backend.ts'
import { test } from '../http/session-api/session-test.ts'

describe('probeModels()', () => {
  test('asks each model once after one that warms up, and tells how fast it is and what is wrong', async ({
    api,
  }) => {
    // It sells one model less than its catalog says: what is asked of that fails at once.
    const backend = createMemoryBackend({ text: 'ok', refuses: 'globex/fast' })
    const { url, orchestrator } = await api.start({ core: { backends: [backend] } })
    const heard: string[] = []

    const probes = await probeModels(
      createClient({ url }),
      ['acme/nano', 'acme/big', 'globex/fast', 'acme/none'],
      'acme/mini',
      ({ model }) => heard.push(model),
    )

    expect(probes.map(({ model }) => model)).toEqual(['acme/nano', 'acme/big', 'globex/fast', 'acme/none'])
    expect(heard.sort()).toEqual([...probes.map(({ model }) => model)].sort())
    for (const probe of probes.slice(0, 2))
      expect(probe).toMatchObject({
        error: null,
        firstTokenMs: expect.any(Number),
        totalMs: expect.any(Number),
      })
    expect(probes[2]).toMatchObject({ firstTokenMs: null, error: { code: 'unknown_model' } })
    expect(probes[3]).toMatchObject({ firstTokenMs: null, error: { code: 'unknown_model' } })
    const [first, ...others] = backend.turns.map(({ model }) => model)
    expect(first).toBe('acme/mini')
    expect(others.sort()).toEqual(['acme/big', 'acme/nano', 'globex/fast'])
    const { data } = await orchestrator.tasks.list({ limit: 10, metadata: { probe: 'acme/big' } })
    expect(data).toHaveLength(1)
    expect(MEMORY_CATALOG.models.length).toBeGreaterThan(3)

    const lines = renderProbes(probes).split('\n')
    expect(lines[1]).toMatch(/^acme\/nano +\d+ ms +\d+ ms +\$\S+ +ok$/)
    expect(lines[3]).toMatch(/^globex\/fast +- +- +\S+ +unknown_model$/)
  })
})

test('cheapestOf() is the model whose prompts cost least; one without a price is the last resort', () => {
  const priced = (model: string, inputMicroUsdPerMTok: number) => ({
    model,
    price: {
      inputMicroUsdPerMTok,
      outputMicroUsdPerMTok: 1,
      cacheReadMicroUsdPerMTok: 0,
      cacheWriteMicroUsdPerMTok: 0,
    },
  })
  const unpriced = { model: 'a/unpriced', price: null }

  expect(cheapestOf([priced('a/big', 9), unpriced, priced('a/nano', 2)])).toBe('a/nano')
  expect(cheapestOf([unpriced])).toBe('a/unpriced')
  expect(cheapestOf([])).toBeUndefined()
})
