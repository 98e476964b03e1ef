/** What Valkey writes at the beginning of a snapshot about the place where it was taken. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'

export interface Snapshot {
  streamId: string
  /** It holds all that the stream says before this offset. */
  offset: number
  /** The database that the stream is about there. */
  database: number
  bytes: number
}

/** The name that Valkey gives it. */
export const SNAPSHOT_NAME = 'dump.rdb'

const HEAD_BYTES = 1_024
const MAGIC_BYTES = 9
const AUXILIARY_FIELD = 0xfa

/**
 * Undefined: there is none. Reads the beginning only; Valkey checks the rest when it loads it.
 *
 * @throws {Error} when it does not say where it was taken.
 */
export function readSnapshot(directory: string): Snapshot | undefined {
  const path = join(directory, SNAPSHOT_NAME)
  const head = readHead(path)
  if (head === undefined) return undefined
  const fields = readFields(head.bytes)
  const [streamId, offset, database] = ['repl-id', 'repl-offset', 'repl-stream-db'].map((name) =>
    fields.get(name),
  )
  if (streamId === undefined || !/^\d+$/.test(offset ?? '') || !/^\d+$/.test(database ?? ''))
    throw new Error(`the snapshot "${path}" is damaged at its beginning`)
  return { streamId, offset: Number(offset), database: Number(database), bytes: head.fileBytes }
}

function readHead(path: string): { bytes: Buffer; fileBytes: number } | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const bytes = Buffer.alloc(HEAD_BYTES)
    return { bytes: bytes.subarray(0, readSync(file, bytes)), fileBytes: fstatSync(file).size }
  } finally {
    closeSync(file)
  }
}

function readFields(head: Buffer): Map<string, string> {
  const fields = new Map<string, string>()
  let at = MAGIC_BYTES
  try {
    while (head[at] === AUXILIARY_FIELD) {
      at += 1
      fields.set(readText(), readText())
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    // Not what Valkey writes: what was read so far does not have it all.
  }
  return fields

  /** Lengths and small numbers as in every RDB file; these texts are too short for its compression. */
  function readText(): string {
    const first = head.readUInt8(at)
    at += 1
    if (first >> 6 === 3) {
      const width = 1 << (first & 0x3f)
      if (width > 4) throw new RangeError('compressed')
      at += width
      return String(head.readIntLE(at - width, width))
    }
    let length = first & 0x3f
    if (first >> 6 === 1) {
      length = (length << 8) | head.readUInt8(at)
      at += 1
    } else if (first >> 6 === 2) throw new RangeError('too long')
    at += length
    if (at > head.length) throw new RangeError('cut off')
    return head.toString('latin1', at - length, at)
  }
}
