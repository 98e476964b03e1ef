/** The short form; the long one is `npm run endure -- kills`. */
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { runKillRounds } from './kill-rounds.ts'

test.for(['everysec', 'always'] as const)(
  'three kills under load lose nothing that was acknowledged, with fsync %s',
  async (fsync) => {
    const tally = await runKillRounds({ parent: tmpdir(), fsync, rounds: 3, maxLoadMs: 1_000 })

    expect(tally).toMatchObject({ rounds: 3, missing: 0 })
    expect(tally.acknowledged).toBeGreaterThan(0)
  },
)
