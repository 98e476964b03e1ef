/** Vitest setup file: `vi.waitFor` bears a busy machine as `expect.poll` does, whose patience is in the config. */
import { vi } from 'vitest'

const PATIENCE_MS = 30_000

const { waitFor } = vi
vi.waitFor = (callback, options = PATIENCE_MS) => waitFor(callback, options)
