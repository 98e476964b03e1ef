import { expect } from 'vitest'
import { test } from '../setup/core-test.ts'

test('startWorker() leaves nothing running behind it when it cannot start', async ({
  core: { start, redis },
  redis: { keys },
}) => {
  const orchestrator = await start()
  // Its last step, once it has opened everything: which queues there are stands in a set.
  await redis.set(keys.queues, 'no set')

  await expect(orchestrator.startWorker()).rejects.toThrow('WRONGTYPE')

  // What gives the signs of life has said goodbye.
  expect(await redis.zcard(keys.workers)).toBe(0)
})

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
