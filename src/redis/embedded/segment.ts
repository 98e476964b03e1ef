/**
 * A segment is one file of the log. Its first record says, as JSON, of which replication stream it is; the
 * others are that stream without a gap. Each start of Valkey and each snapshot begins a new one.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { RECORD_HEAD_BYTES, readRecord, salvageRecords } from './log-record.ts'

export const SegmentHeader = z.strictObject({
  /** Valkey makes itself a new id with every start; offsets count within it. */
  streamId: z.string(),
  sequence: z.int().positive(),
})

export type SegmentHeader = z.infer<typeof SegmentHeader>

export interface Segment extends SegmentHeader {
  path: string
  /** Bytes on the disk, heads of records included. */
  fileBytes: number
  /** Offsets in the stream: first byte, and the one after the last. */
  start: number
  end: number
  chunks: { offset: number; bytes: Buffer }[]
  damage: SegmentDamage | undefined
}

export interface SegmentDamage {
  /** Position in the file of the first record that is not whole. */
  position: number
  /** Whole records behind it. */
  recordsBehind: number
  /** True: what is damaged was once safe on the disk, so this is no write that a crash cut short. */
  wasSynced: boolean
}

const NAME = /^(\d{10})\.log$/

export function segmentPath(directory: string, sequence: number): string {
  return join(directory, `${String(sequence).padStart(10, '0')}.log`)
}

/** Sequence numbers of the segments that are there, in order. */
export function listSegments(directory: string): number[] {
  return readdirSync(directory)
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
}

/** Undefined: the file was not even begun in whole. @throws {Error} when its beginning is damaged. */
export function readSegment(directory: string, sequence: number): Segment | undefined {
  const path = segmentPath(directory, sequence)
  const file = readFileSync(path)
  const head = readRecord(file, 0)
  if (head === undefined) {
    if (file.length <= firstRecordBytes({ streamId: 'x'.repeat(40), sequence })) return undefined
    throw new Error(`"${path}" is damaged at its beginning`)
  }
  const header = SegmentHeader.parse(JSON.parse(head.bytes.toString()))
  if (header.sequence !== sequence)
    throw new Error(`"${path}" is not the segment that its name says, but number ${header.sequence}`)
  const chunks: Segment['chunks'] = []
  let end = head.offset
  let position = RECORD_HEAD_BYTES + head.bytes.length
  while (position < file.length) {
    const record = readRecord(file, position)
    if (record?.offset !== end) break
    chunks.push({ offset: end, bytes: record.bytes })
    end += record.bytes.length
    position += RECORD_HEAD_BYTES + record.bytes.length
  }
  const damage = position < file.length ? describeDamage(file, position, end) : undefined
  return { ...header, path, fileBytes: file.length, start: head.offset, end, chunks, damage }
}

function describeDamage(file: Buffer, position: number, end: number): SegmentDamage {
  let recordsBehind = 0
  let wasSynced = false
  for (const { synced } of salvageRecords(file, position)) {
    recordsBehind += 1
    wasSynced ||= synced > end
  }
  return { position, recordsBehind, wasSynced }
}

function firstRecordBytes(header: SegmentHeader): number {
  return RECORD_HEAD_BYTES + JSON.stringify(header).length
}
