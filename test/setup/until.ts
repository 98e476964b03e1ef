import { setTimeout as sleep } from 'node:timers/promises'

const PATIENCE_MS = 60_000
const BETWEEN_MS = 20

/** As `eventually`, also outside of Vitest. */
export async function until<T>(check: () => T | Promise<T>): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(BETWEEN_MS)) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}
