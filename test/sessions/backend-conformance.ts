/** What every `SessionBackend` does: run by the adapter of a real OpenCode and by the double in memory. */
import { afterAll, beforeAll, describe } from 'vitest'
import type { SessionBackend } from '../../src/sessions/backend.ts'
import type { Ledger } from '../provider/ledger.ts'
import { conformAborts } from './conformance/aborts.ts'
import { conformAsks } from './conformance/asks.ts'
import { conformBills } from './conformance/bills.ts'
import { conformFailures } from './conformance/failures.ts'
import { conformSessions } from './conformance/sessions.ts'
import { conformTurns } from './conformance/turns.ts'

export interface Stage {
  backend: SessionBackend
  /** Another one on the same server, as another worker has it; the same where there is no such thing. */
  other: SessionBackend
  ledger: Ledger
  /** Of the prompts' `@hold:NAME`. */
  held(name: string, times?: number): Promise<void>
  release(name: string): void
  close(): Promise<void>
}

export function describeConformance(name: string, setUp: () => Promise<Stage>): void {
  describe(name, { timeout: 120_000 }, () => {
    // Filled before the first test.
    const stage = {} as Stage
    beforeAll(async () => {
      Object.assign(stage, await setUp())
    }, 120_000)
    afterAll(() => stage.close?.(), 60_000)

    conformSessions(stage)
    conformTurns(stage)
    conformBills(stage)
    conformAsks(stage)
    conformAborts(stage)
    conformFailures(stage)
  })
}
