import { TierlineError } from '../errors.ts'

/**
 * Runs a write into the data directory; `what` is written.
 *
 * @throws {TierlineError} `invalid_config` when the disk is full; anything else as it comes.
 */
export function withRoom<T>(dataDir: string, what: string, write: () => T): T {
  try {
    return write()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error
    const message = `must have room for ${what}, and its disk is full (${code}); a megabyte is enough to read what is there`
    throw new TierlineError('invalid_config', `Cannot use the data directory "${dataDir}": it ${message}`, {
      errors: [{ field: 'TIERLINE_DATA_DIR', message, given: dataDir }],
      cause: error,
    })
  }
}
