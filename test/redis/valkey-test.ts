/** `test` with an embedded Valkey that it may kill and damage; started by the test. */
import { tmpdir } from 'node:os'
import { test as base } from 'vitest'
import type { FsyncPolicy } from '../../src/redis/embedded/write-ahead-log.ts'
import { createTestValkey, type TestValkey } from './test-valkey.ts'

export const test = base.extend<{ fsync: FsyncPolicy; valkey: TestValkey }>({
  fsync: 'everysec',
  valkey: async ({ fsync }, use) => {
    const valkey = await createTestValkey(tmpdir(), fsync)
    await use(valkey)
    await valkey.close()
  },
})
