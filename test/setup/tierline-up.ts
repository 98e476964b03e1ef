import { afterAll, beforeAll } from 'vitest'
import { createHome, type Home, startTierline, type TierlineProcess } from './tierline-process.ts'

/** Both are there when the tests of the file run. */
export interface TierlineUp {
  readonly home: Home
  readonly up: TierlineProcess
}

/** One `tierline up` for all tests of a file. `prepare` may add to its home; what it gives is its environment. */
export function startUp(
  config: string,
  prepare: (home: Home) => Record<string, string> | undefined = () => undefined,
): TierlineUp {
  let home: Home
  let up: TierlineProcess

  beforeAll(async () => {
    home = await createHome(config)
    up = await startTierline(home, ['up'], prepare(home))
  }, 240_000)

  afterAll(async () => {
    await up?.end('SIGTERM')
    await home?.remove()
  }, 60_000)

  return {
    get home() {
      return home
    },
    get up() {
      return up
    },
  }
}
