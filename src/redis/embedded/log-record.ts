/**
 * The form of the log: records one after the other, each what happened between two looks at the sockets.
 *
 * `TLR1`, length, offset, synced, CRC-32 of all that, then the bytes of the replication stream.
 */
import { crc32 } from 'node:zlib'

export interface LogRecord {
  /** Where its first byte stands in the replication stream of the process that wrote it. */
  offset: number
  /** Up to here the stream was on the disk for sure when this was written. */
  synced: number
  bytes: Buffer
}

const MAGIC = Buffer.from('TLR1')
const CRC_AT = 20

export const RECORD_HEAD_BYTES = 24

/** The head that goes before `chunks`. */
export function recordHead(record: Omit<LogRecord, 'bytes'>, chunks: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(RECORD_HEAD_BYTES)
  MAGIC.copy(head)
  head.writeUInt32LE(
    chunks.reduce((length, chunk) => length + chunk.length, 0),
    4,
  )
  head.writeUIntLE(record.offset, 8, 6)
  head.writeUIntLE(record.synced, 14, 6)
  const crc = chunks.reduce((before, chunk) => crc32(chunk, before), crc32(head.subarray(0, CRC_AT)))
  head.writeUInt32LE(crc, CRC_AT)
  return head
}

/** The record that begins at `position`; undefined when none does, or not all of it is there and right. */
export function readRecord(file: Buffer, position: number): LogRecord | undefined {
  const start = position + RECORD_HEAD_BYTES
  if (start > file.length || file.compare(MAGIC, 0, MAGIC.length, position, position + MAGIC.length) !== 0)
    return undefined
  const bytes = file.subarray(start, start + file.readUInt32LE(position + 4))
  const crc = crc32(bytes, crc32(file.subarray(position, position + CRC_AT)))
  if (crc !== file.readUInt32LE(position + CRC_AT)) return undefined
  return { offset: file.readUIntLE(position + 8, 6), synced: file.readUIntLE(position + 14, 6), bytes }
}

/** All whole records from `position` on, wherever they begin: what is left after a damage. */
export function* salvageRecords(file: Buffer, position: number): Generator<LogRecord> {
  let at = file.indexOf(MAGIC, position)
  while (at !== -1) {
    const record = readRecord(file, at)
    if (record !== undefined) yield record
    at = file.indexOf(MAGIC, record === undefined ? at + 1 : at + RECORD_HEAD_BYTES + record.bytes.length)
  }
}
