/** `test` with an empty directory and a guardian of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base } from 'vitest'
import { type Guardian, startGuardian } from '../../src/services/guardian.ts'
import type { ServiceEvent } from '../../src/services/guardian-message.ts'

export interface GuardianFixture extends Guardian {
  /** All that was heard, in order. */
  events: ServiceEvent[]
}

export const test = base.extend<{ directory: string; guardian: GuardianFixture }>({
  directory: async ({}, use) => {
    const directory = mkdtempSync(join(tmpdir(), 'tierline-test-'))
    await use(directory)
    rmSync(directory, { recursive: true, force: true })
  },
  guardian: async ({ directory }, use) => {
    const events: ServiceEvent[] = []
    const guardian = await startGuardian({
      logFile: join(directory, 'guardian.log'),
      onEvent: (event) => events.push(event),
    })
    await use({ ...guardian, events })
    await guardian.stop()
  },
})
