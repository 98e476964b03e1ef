import { readFile, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { allowedRoots } from './check-exposure.ts'
import { withWarnings } from './config.ts'
import { type ParsedFile, parseFile } from './parse-file.ts'
import { withRealDirectories } from './real-directories.ts'
import { unreachableRules } from './unreachable-rules.ts'

const MAX_FILE_BYTES = 1024 * 1024
/** A file that was written less long ago may still be being written. */
const SETTLED_MS = 50
const MAX_LOOKS = 20

export type LoadedFile = (ParsedFile & { readonly text: string }) | { readonly status: 'absent' }

/** What of its surroundings a file is judged by, as far as they are known. */
export interface Surroundings {
  /** Names of the API keys there are. */
  readonly keys?: readonly string[] | undefined
  /** As in `Settings`: beats what the file says; `null`: is not set. */
  readonly directories?: readonly string[] | null | undefined
}

/**
 * Reads and parses the file once nobody writes to it; waits a second for that at most.
 *
 * A file that cannot be read is `invalid`, with the reason as its one problem.
 */
export async function loadFile(
  path: string,
  generation: number,
  { keys, directories }: Surroundings = {},
): Promise<LoadedFile> {
  const read = await readSettled(path)
  if (read.status === 'absent') return read
  if (read.status === 'failed')
    return {
      status: 'invalid',
      text: '',
      problems: [{ line: 1, column: 1, field: '', message: read.reason }],
    }
  const { text } = read
  const parsed = parseFile(text, { path, generation, keys })
  if (parsed.status === 'invalid') return { ...parsed, text }
  const config = await withRealDirectories(parsed.config)
  const roots = directories === undefined ? null : allowedRoots({ directories }, config)
  const unreachable = await unreachableRules(config.table.rules, parsed.rulePlaces, roots)
  return { ...parsed, config: withWarnings(config, [...config.table.warnings, ...unreachable]), text }
}

type ReadFile = { status: 'read'; text: string } | { status: 'absent' } | { status: 'failed'; reason: string }

async function readSettled(path: string): Promise<ReadFile> {
  try {
    for (let look = 1; ; look += 1) {
      const before = await stat(path)
      if (!before.isFile()) return { status: 'failed', reason: 'is not a file' }
      if (before.size > MAX_FILE_BYTES)
        return { status: 'failed', reason: `has ${before.size} bytes, at most ${MAX_FILE_BYTES} are read` }
      const text = await readFile(path, 'utf8')
      const after = await stat(path)
      const settled = after.mtimeMs === before.mtimeMs && Date.now() - after.mtimeMs >= SETTLED_MS
      if (settled || look === MAX_LOOKS) return { status: 'read', text }
      await delay(SETTLED_MS)
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? { status: 'absent' } : { status: 'failed', reason: `cannot be read (${code})` }
  }
}
