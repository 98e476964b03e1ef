import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { freePort } from '../../src/services/free-port.ts'
import { endWithTest } from '../setup/end-with-test.ts'
import { eventually } from '../setup/eventually.ts'
import { test } from '../setup/redis-test.ts'

test('a role outlives whoever read its log', async ({ redis }) => {
  const directory = mkdtempSync(join(tmpdir(), 'tierline-test-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'tierline.yaml')
  writeFileSync(file, 'tiers: { fast: { models: [acme/nano] } }')
  const [port, nobody] = [await freePort(), await freePort()]
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, '../../workers/api.ts')],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env.PATH,
        REDIS_URL: redis.url,
        OPENCODE_URL: `http://127.0.0.1:${nobody}`,
        TIERLINE_NAMESPACE: redis.namespace,
        TIERLINE_CONFIG: file,
        TIERLINE_PORT: String(port),
      },
    },
  )
  endWithTest(child)
  const config = async () => (await ready(port)).checks.config
  expect((await eventually(config)).error).toBe(null)

  child.stderr.destroy()
  // It logs what is wrong with it.
  writeFileSync(file, 'tiers: none')

  await eventually(async () => expect((await config()).error).toMatch(/tiers/))
  expect(child.exitCode).toBe(null)
  child.kill('SIGTERM')
  await once(child, 'exit')
})

async function ready(port: number): Promise<{ checks: { config: { error: string | null } } }> {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`)
  return answer.json()
}
