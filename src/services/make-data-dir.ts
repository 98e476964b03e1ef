import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { TierlineError } from '../errors.ts'

/**
 * Makes the data directory and those above it, for this user only, where they are missing.
 *
 * @throws {TierlineError} `invalid_config` when that cannot be, or nothing can be written there.
 */
export function makeDataDir(dataDir: string): void {
  try {
    make(dataDir)
    if (!statSync(dataDir).isDirectory())
      throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' })
    accessSync(dataDir, constants.W_OK | constants.X_OK)
  } catch (error) {
    const message = `must be a directory that can be written, or be made (${(error as NodeJS.ErrnoException).code})`
    throw new TierlineError('invalid_config', `Cannot use the data directory "${dataDir}": it ${message}`, {
      errors: [{ field: 'TIERLINE_DATA_DIR', message, given: dataDir }],
      cause: error,
    })
  }
}

/** Step by step: with `recursive` Node never returns where the system says that a parent is missing and is not, as in /proc. */
function make(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    make(dirname(path))
    mkdirSync(path, { mode: 0o700 })
  }
}
