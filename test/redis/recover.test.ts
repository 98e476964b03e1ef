/** The log alone, damaged in every way: what is recovered is the beginning of what was written, or nothing. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { recover } from '../../src/redis/embedded/recover.ts'
import { segmentPath } from '../../src/redis/embedded/segment.ts'
import { openLog } from '../../src/redis/embedded/write-ahead-log.ts'

const STREAM_ID = 'f'.repeat(40)

/** `sync`: forced onto the disk after it. */
const writes = fc.array(
  fc.record({ bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }), sync: fc.boolean() }),
  { minLength: 1, maxLength: 8 },
)

/** At a place given as a part of the file's length. */
const damage = fc.record({
  kind: fc.constantFrom('flip', 'zero', 'truncate', 'append'),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  length: fc.integer({ min: 1, max: 60 }),
})

describe('recover()', () => {
  test('gives all that was safe and nothing that was not written, or refuses', async () => {
    await fc.assert(
      fc.asyncProperty(writes, damage, async (written, { kind, at, length }) => {
        const directory = mkdtempSync(join(tmpdir(), 'tierline-test-'))
        try {
          const safeBytes = await writeLog(directory, written)
          const path = segmentPath(directory, 1)
          const file = readFileSync(path)
          const position = Math.floor(at * file.length)
          const changed = Buffer.concat([file, Buffer.alloc(kind === 'append' ? length : 0, 1)])
          if (kind === 'flip') changed.writeUInt8(changed.readUInt8(position) ^ (1 << (length % 8)), position)
          if (kind === 'zero') changed.fill(0, position, Math.min(file.length, position + length))
          writeFileSync(path, kind === 'truncate' ? changed.subarray(0, position) : changed)
          const isDamaged = !readFileSync(path).equals(file)

          const whole = Buffer.concat(written.map(({ bytes }) => bytes))
          const outcome = attempt(() => recover(directory))
          if ('error' in outcome) {
            expect(isDamaged).toBe(true)
            return
          }
          const { replay, notes } = outcome.result
          const found = Buffer.concat(replay)
          expect(found.equals(whole.subarray(0, found.length))).toBe(true)
          if (found.length < whole.length && kind !== 'truncate') expect(notes).toHaveLength(1)
          if (found.length < safeBytes) expect(kind).toBe('truncate')
          // What was cut off is gone for good.
          expect(Buffer.concat(recover(directory).replay).equals(found)).toBe(true)
        } finally {
          rmSync(directory, { recursive: true })
        }
      }),
      { numRuns: 300 },
    )
  })

  test('begins with nothing in an empty directory', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tierline-test-'))
    expect(recover(directory)).toEqual({
      snapshot: undefined,
      replay: [],
      segments: [],
      nextSequence: 1,
      notes: [],
    })
    rmSync(directory, { recursive: true })
  })

  test('refuses a log with a segment missing', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tierline-test-'))
    const log = begin(directory)
    for (let segments = 0; segments < 3; segments += 1) {
      log.append(Buffer.from('abc'))
      log.rotate()
    }
    log.close()
    expect(Buffer.concat(recover(directory).replay).toString()).toBe('abcabcabc')
    rmSync(segmentPath(directory, 2))
    expect(() => recover(directory)).toThrow(`"${segmentPath(directory, 2)}" is missing`)
    rmSync(segmentPath(directory, 1))
    expect(() => recover(directory)).toThrow('the snapshot that')
    rmSync(directory, { recursive: true })
  })
})

function begin(directory: string) {
  return openLog({ directory, fsync: 'no', streamId: STREAM_ID, offset: 0, older: [], sequence: 1 })
}

/** Gives how many bytes a later record knows to be safe. */
async function writeLog(
  directory: string,
  written: readonly { bytes: Uint8Array; sync: boolean }[],
): Promise<number> {
  const log = begin(directory)
  let offset = 0
  let synced = 0
  let known = 0
  for (const { bytes, sync } of written) {
    log.append(Buffer.from(bytes))
    log.flush()
    known = synced
    offset += bytes.length
    if (!sync) continue
    await log.sync()
    synced = offset
  }
  log.close()
  return known
}

function attempt<T>(act: () => T): { result: T } | { error: unknown } {
  try {
    return { result: act() }
  } catch (error) {
    return { error }
  }
}
