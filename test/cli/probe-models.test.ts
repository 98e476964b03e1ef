import { describe, expect } from 'vitest'
import { renderProbes } from '../../src/cli/commands/models.ts'
import { probeModels } from '../../src/cli/commands/probe-models.ts'
import { createClient } from '../../src/client/index.ts'
import { createMemoryBackend, MEMORY_CATALOG } from '../doubles/memory-backend.ts'
import { test } from '../http/session-api/session-test.ts'

describe('probeModels()', () => {
  test('asks each model once, and tells how fast it is and what is wrong', async ({ api }) => {
    // It sells one model less than its catalog says: what is asked of that fails at once.
    const backend = createMemoryBackend({ text: 'ok', refuses: 'globex/fast' })
    const { url, orchestrator } = await api.start({ core: { backends: [backend] } })
    const heard: string[] = []

    const probes = await probeModels(
      createClient({ url }),
      ['acme/nano', 'acme/big', 'globex/fast', 'acme/none'],
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
    expect(backend.turns.map(({ model }) => model).sort()).toEqual(['acme/big', 'acme/nano', 'globex/fast'])
    const { data } = await orchestrator.tasks.list({ limit: 10, metadata: { probe: 'acme/big' } })
    expect(data).toHaveLength(1)
    expect(MEMORY_CATALOG.models.length).toBeGreaterThan(3)

    const lines = renderProbes(probes).split('\n')
    expect(lines[1]).toMatch(/^acme\/nano +\d+ ms +\d+ ms +\$\S+ +ok$/)
    expect(lines[3]).toMatch(/^globex\/fast +- +- +\S+ +unknown_model$/)
  })
})
