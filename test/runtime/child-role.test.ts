import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { readSettings } from '../../src/config/settings.ts'
import { startChildRole } from '../../src/runtime/child-role.ts'
import { freePort } from '../../src/services/free-port.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { eventually } from '../setup/eventually.ts'
import { test } from '../setup/redis-test.ts'

test('a role that cannot be started again is tried again, and stop waits for no end of it', async ({
  redis,
}) => {
  const directory = mkdtempSync(join(tmpdir(), 'tierline-test-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'tierline.yaml'), 'tiers: { fast: { models: [acme/nano] } }')
  const settings = readSettings({
    REDIS_URL: redis.url,
    OPENCODE_URL: `http://127.0.0.1:${await freePort()}`,
    TIERLINE_NAMESPACE: redis.namespace,
    TIERLINE_CONFIG: join(directory, 'tierline.yaml'),
    TIERLINE_PORT: '0',
  })
  const lines: string[] = []
  const logger = createLogger({ level: 'warn', write: (line) => lines.push(line) })
  const role = await startChildRole('api', { settings }, logger)
  const { execPath } = process
  onTestFinished(() => {
    process.execPath = execPath
  })

  process.execPath = join(directory, 'no-node')
  process.kill(role.pid!, 'SIGKILL')
  await eventually(() => expect(lines.join('')).toMatch(/SIGKILL[\s\S]*ENOENT/))

  expect(role.pid).toBe(undefined)
  await role.stop()
})
