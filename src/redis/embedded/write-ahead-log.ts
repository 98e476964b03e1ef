import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  unlinkSync,
  writevSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { RECORD_HEAD_BYTES, recordHead } from './log-record.ts'
import { type SegmentHeader, segmentPath } from './segment.ts'

/** When what was written is forced onto the disk; as `appendfsync` of Redis. */
export const FSYNC_POLICIES = ['always', 'everysec', 'no'] as const
export type FsyncPolicy = (typeof FSYNC_POLICIES)[number]

export interface WriteAheadLog {
  /** Bytes of all segments that the next snapshot will make needless. */
  readonly bytes: number
  /** False: they say nothing. */
  readonly hasNews: boolean
  /** Takes the next bytes of the stream; they are written by `flush`. */
  append(bytes: Buffer): void
  /**
   * Writes what was appended, as one record; with `always` it is on the disk then. The first one begins the segment,
   * even if nothing was.
   * @throws {Error} when the disk does not take it; the file is as before, and the next `flush` tries again.
   *   An error of `fdatasync` is final: nobody knows what is on the disk then.
   */
  flush(): void
  /** Forces onto the disk what was written. One at a time. */
  sync(): Promise<void>
  /** Begins a further segment. @throws {Error} when the disk does not take it; the old one goes on then. */
  rotate(): void
  /** Removes the segments before the current one: a snapshot holds what they say. */
  forget(): void
  close(): void
}

interface LogStart {
  directory: string
  fsync: FsyncPolicy
  /** Of the replication stream that will be appended. */
  streamId: string
  offset: number
  /** Segments that are there and still needed, in order. */
  older: readonly { sequence: number; fileBytes: number }[]
  /** Of the segment to begin. */
  sequence: number
}

const sync = promisify(fdatasync)

/** A log whose segment the first `flush` begins. */
export function openLog({ directory, fsync, streamId, offset, older, sequence }: LogStart): WriteAheadLog {
  const needless = older.map((segment) => segment.sequence)
  let olderBytes = older.reduce((sum, { fileBytes }) => sum + fileBytes, 0)
  let current: OpenSegment | undefined
  let pending: Buffer[] = []
  let pendingBytes = 0
  let written = offset
  let synced = offset
  let syncing: Promise<void> | undefined

  const flush = (): void => {
    current ??= beginSegment(directory, { streamId, sequence }, offset)
    if (pendingBytes === 0) return
    const head = recordHead({ offset: written, synced }, pending)
    try {
      writeAll(current.file, [head, ...pending])
    } catch (error) {
      ftruncateSync(current.file, current.bytes)
      throw error
    }
    current.bytes += RECORD_HEAD_BYTES + pendingBytes
    written += pendingBytes
    pending = []
    pendingBytes = 0
    if (fsync !== 'always') return
    fdatasyncSync(current.file)
    synced = written
  }

  return {
    get bytes() {
      return olderBytes + (current?.bytes ?? 0)
    },
    get hasNews() {
      return needless.length > 0 || written > (current?.start ?? offset)
    },
    append(bytes) {
      pending.push(bytes)
      pendingBytes += bytes.length
    },
    flush,
    async sync() {
      if (current === undefined || synced === written || syncing !== undefined) return syncing
      const upTo = written
      syncing = sync(current.file)
      try {
        await syncing
        synced = Math.max(synced, upTo)
      } finally {
        syncing = undefined
      }
    },
    rotate() {
      flush()
      const { file, sequence: last, bytes } = current!
      fdatasyncSync(file)
      synced = written
      const next = beginSegment(directory, { streamId, sequence: last + 1 }, written)
      // A sync under way still needs it.
      void (syncing ?? Promise.resolve()).catch(() => {}).then(() => closeSync(file))
      needless.push(last)
      olderBytes += bytes
      current = next
    },
    forget() {
      for (const old of needless.splice(0)) unlinkSync(segmentPath(directory, old))
      olderBytes = 0
    },
    close() {
      flush()
      fdatasyncSync(current!.file)
      closeSync(current!.file)
    },
  }
}

interface OpenSegment {
  file: number
  sequence: number
  /** Offset. */
  start: number
  bytes: number
}

/** On the disk, and its name too, before anything depends on it. */
function beginSegment(directory: string, header: SegmentHeader, offset: number): OpenSegment {
  const path = segmentPath(directory, header.sequence)
  const file = openSync(path, 'ax', 0o600)
  try {
    const body = Buffer.from(JSON.stringify(header))
    writeAll(file, [recordHead({ offset, synced: offset }, [body]), body])
    fdatasyncSync(file)
    syncDirectory(dirname(path))
    return { file, sequence: header.sequence, start: offset, bytes: RECORD_HEAD_BYTES + body.length }
  } catch (error) {
    closeSync(file)
    unlinkSync(path)
    throw error
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

// As many as one system call takes.
const MOST_PIECES = 1_024

function writeAll(file: number, pieces: readonly Buffer[]): void {
  let left = [...pieces]
  while (left.length > 0) {
    let taken = writevSync(file, left.slice(0, MOST_PIECES))
    while (left.length > 0 && taken >= left[0]!.length) {
      taken -= left[0]!.length
      left.shift()
    }
    if (taken > 0) left = [left[0]!.subarray(taken), ...left.slice(1)]
  }
}
