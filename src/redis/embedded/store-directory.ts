/** The directory of an embedded Valkey: `format.json`, `dump.rdb` and the segments of the log. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/** Raised with every change that an older tierline could not read. */
const FORMAT = 1

const FILE = 'format.json'
const Format = z.object({ format: z.int() })

/** Made by Valkey while it saves; left behind by a crash. */
const UNFINISHED = /^temp-.*\.rdb$/

/**
 * Makes the directory ready, for its owner only. The caller holds its lock.
 *
 * @throws {Error} when it is of a format that this version does not know, or cannot be written when it is new.
 */
export function openStoreDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const format = readFormat(directory)
  if (format === undefined) writeFormat(directory)
  else if (format !== FORMAT)
    throw new Error(
      `Cannot open the data in "${directory}": its format is ${format}, this version knows ${FORMAT}; use the version of tierline that wrote it`,
    )
  for (const name of readdirSync(directory).filter((one) => UNFINISHED.test(one)))
    rmSync(join(directory, name))
}

/** True when an embedded Valkey has written there. */
export function hasStore(directory: string): boolean {
  try {
    return readdirSync(directory).some((name) => name.endsWith('.log') || name.endsWith('.rdb'))
  } catch {
    return false
  }
}

/** Undefined where nothing was kept yet. */
function readFormat(directory: string): unknown {
  let text: string
  try {
    text = readFileSync(join(directory, FILE), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return hasStore(directory) ? 'not said (there is no format.json)' : undefined
  }
  try {
    return Format.parse(JSON.parse(text)).format
  } catch {
    return 'not readable (format.json is damaged)'
  }
}

function writeFormat(directory: string): void {
  const draft = join(directory, `${FILE}.new`)
  try {
    writeFileSync(draft, `${JSON.stringify({ format: FORMAT })}\n`, { mode: 0o600, flush: true })
    renameSync(draft, join(directory, FILE))
  } catch (error) {
    throw new Error(`Cannot begin to keep data in "${directory}": ${(error as Error).message}`)
  }
}
