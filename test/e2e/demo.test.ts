import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { processesOf } from '../setup/processes.ts'
import { runTierline } from '../setup/tierline-process.ts'

test('tierline demo runs a dozen tasks on the models that its table says, and cleans up', {
  timeout: 180_000,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tierline-demo-test-'))
  try {
    const env = { PATH: process.env.PATH ?? '', HOME: dir, TMPDIR: dir }

    const { code, stdout, stderr } = await runTierline({ dir, env }, ['demo', '--json'])

    const { results, total } = JSON.parse(stdout)
    expect(results.filter((result: { ok: boolean }) => !result.ok)).toEqual([])
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(results.length).toBeGreaterThanOrEqual(12)
    expect(new Set(results.map((result: { type: string }) => result.type)).size).toBeGreaterThanOrEqual(5)
    expect(total.costMicroUsd).toBeLessThan(total.dearest.costMicroUsd)
    expect(readdirSync(dir).filter((name) => name.startsWith('tierline-demo-'))).toEqual([])
    await expect.poll(() => processesOf(dir)).toEqual([])
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
})
