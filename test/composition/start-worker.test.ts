import { expect } from 'vitest'
import { test } from '../setup/core-test.ts'

test('startWorker() refuses slots that are none', async ({ core: { start } }) => {
  const orchestrator = await start()

  for (const concurrency of [0, -1, 1.5, Number.NaN])
    await expect(orchestrator.startWorker({ concurrency })).rejects.toThrow(
      'must be a whole number of at least 1',
    )
})

test('startWorker() tells of a tier that does not exist', async ({ core: { start } }) => {
  const warnings: string[] = []
  const orchestrator = await start({ log: { info() {}, warn: (_, message) => void warnings.push(message) } })

  await orchestrator.startWorker({ tiers: ['fast', 'fsat', 'direct'] })

  expect(warnings).toEqual([
    'The worker serves the tier "fsat", which does not exist now; nearest: fast, direct, nested, powerful',
  ])
})
