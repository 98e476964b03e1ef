import { closeSync, fsyncSync, ftruncateSync, openSync, rmSync } from 'node:fs'
import { listSegments, readSegment, type Segment, segmentPath } from './segment.ts'
import { readSnapshot, type Snapshot } from './snapshot.ts'

export interface Recovered {
  /** What Valkey loads by itself before the log is replayed. */
  snapshot: Snapshot | undefined
  /** The stream from there on, in order. */
  replay: Buffer[]
  /** The segments it is from; needed until the next snapshot. */
  segments: readonly { sequence: number; fileBytes: number }[]
  /** Of the segment to begin. */
  nextSequence: number
  /** What was cut off, in sentences for people. */
  notes: string[]
}

/**
 * Reads what the last process left. A record that a crash cut short was acknowledged to nobody and is cut off;
 * so is what lies behind a damage, as long as none of it was safe on the disk before.
 *
 * @throws {Error} when what was safe is damaged or missing: going on would lose it in silence.
 */
export function recover(directory: string): Recovered {
  try {
    const snapshot = readSnapshot(directory)
    const { segments, torn } = readNeeded(directory, snapshot)
    // Left behind by a crash between a snapshot and their removal.
    for (const sequence of listSegments(directory))
      if (sequence < (segments[0]?.sequence ?? 0)) rmSync(segmentPath(directory, sequence))
    const notes = [...removeUnfinished(directory, torn), ...segments.flatMap(cutDamage)]
    return {
      snapshot,
      replay: segments.flatMap((segment) => missingIn(snapshot, segment)),
      segments: segments.map(({ sequence, fileBytes }) => ({ sequence, fileBytes })),
      nextSequence: (listSegments(directory).at(-1) ?? 0) + 1,
      notes,
    }
  } catch (error) {
    throw refusal(directory, (error as Error).message)
  }
}

/** For what `recover` and Valkey itself find damaged. */
export function refusal(directory: string, why: string): Error {
  return new Error(
    `Cannot open the data in "${directory}": ${why}. Put it back from a backup, or move the directory away to start empty`,
  )
}

/**
 * From the segment in which the snapshot was taken to the last one. `torn`: one behind them that was begun
 * and never used.
 */
function readNeeded(
  directory: string,
  snapshot: Snapshot | undefined,
): { segments: Segment[]; torn: number | undefined } {
  const segments: Segment[] = []
  let torn: number | undefined
  for (const sequence of listSegments(directory).toReversed()) {
    const segment = readSegment(directory, sequence)
    const next = segments[0]
    if (segment === undefined && next === undefined && torn === undefined) {
      torn = sequence
      continue
    }
    if (segment === undefined || (next !== undefined && next.sequence !== sequence + 1))
      throw new Error(`"${segmentPath(directory, sequence + (segment ? 1 : 0))}" is missing`)
    if (segment.damage && (next !== undefined || segment.damage.wasSynced))
      throw new Error(
        `"${segment.path}" is damaged at byte ${segment.damage.position}, in what was safe on the disk before`,
      )
    segments.unshift(segment)
    if (isBase(segment, snapshot)) return { segments, torn }
  }
  if (snapshot === undefined && segments.length === 0) return { segments, torn }
  throw new Error(
    snapshot === undefined
      ? `the snapshot that "${segments[0]!.path}" goes on from is missing`
      : 'the log that goes on from the snapshot is missing',
  )
}

function isBase(segment: Segment, snapshot: Snapshot | undefined): boolean {
  if (snapshot === undefined) return segment.sequence === 1
  return segment.streamId === snapshot.streamId && segment.start <= snapshot.offset
}

/** What the segment says and the snapshot does not. */
function missingIn(snapshot: Snapshot | undefined, { streamId, chunks }: Segment): Buffer[] {
  if (streamId !== snapshot?.streamId) return chunks.map(({ bytes }) => bytes)
  return chunks
    .map(({ offset, bytes }) => bytes.subarray(Math.max(0, snapshot.offset - offset)))
    .filter(({ length }) => length > 0)
}

function removeUnfinished(directory: string, sequence: number | undefined): string[] {
  if (sequence === undefined) return []
  const path = segmentPath(directory, sequence)
  rmSync(path)
  return [`removed "${path}", which was begun and never written to`]
}

function cutDamage({ path, damage, fileBytes }: Segment): string[] {
  if (damage === undefined) return []
  const file = openSync(path, 'r+')
  ftruncateSync(file, damage.position)
  fsyncSync(file)
  closeSync(file)
  const what = `cut ${fileBytes - damage.position} bytes off the end of "${path}"`
  return [
    damage.recordsBehind === 0
      ? `${what}: a write that was not finished`
      : `${what}: damaged before it was forced onto the disk, ${damage.recordsBehind} later writes went with it`,
  ]
}
