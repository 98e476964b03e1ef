import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { readSettings } from '../../src/config/settings.ts'
import { startMaintenanceRole } from '../../src/runtime/start-maintenance.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { test } from '../setup/redis-test.ts'
import { TEST_CONFIG } from '../setup/tierline-process.ts'

test('a SIGHUP makes the maintenance read its file anew, and does not end it', async ({
  redis: { url, namespace },
}) => {
  const directory = mkdtempSync(join(tmpdir(), 'tierline-maintenance-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'tierline.yaml')
  writeFileSync(file, TEST_CONFIG)
  const settings = readSettings({
    REDIS_URL: url,
    TIERLINE_NAMESPACE: namespace,
    TIERLINE_CONFIG: file,
    // Nobody asks it: there is a file.
    OPENCODE_URL: 'http://127.0.0.1:9',
  })
  const before = process.listenerCount('SIGHUP')

  const { close } = await startMaintenanceRole(settings, createLogger({ level: 'silent' }))
  expect(process.listenerCount('SIGHUP')).toBe(before + 1)

  await close(0)
  expect(process.listenerCount('SIGHUP')).toBe(before)
})
