import { defineConfig } from 'vitest/config'
import { LongFirst } from './test/setup/long-first.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/redis-server.ts'],
    setupFiles: ['test/setup/patience.ts'],
    pool: 'forks',
    // Each test starts processes of its own; more files at once would only make them wait for each other.
    maxWorkers: 2,
    sequence: { sequencer: LongFirst },
    // Nothing is timed here: this is how long a slow, busy machine may take.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
})
