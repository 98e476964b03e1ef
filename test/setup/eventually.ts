import { vi } from 'vitest'

/** Until it no longer throws, on a machine as busy as may be. */
export function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 50_000, interval: 20 })
}
