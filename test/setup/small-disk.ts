/** A disk that can be filled, for real: a small file system in memory, which only root may mount. */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'

/** Of the small disk. */
export const PAGE_BYTES = 4_096

/** Undefined where that is not allowed. Gone after the test. */
export function mountSmallDisk(size: string): string | undefined {
  if (process.getuid?.() !== 0) return undefined
  const directory = mkdtempSync(join(tmpdir(), 'tierline-disk-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory], { stdio: 'pipe' })
  } catch {
    return undefined
  }
  onTestFinished(() => void execFileSync('umount', ['-l', directory]))
  return directory
}

/** Until nothing more goes in; gives the bytes. */
export function fill(path: string): number {
  const file = openSync(path, 'w')
  const page = Buffer.alloc(PAGE_BYTES)
  let bytes = 0
  try {
    for (;;) bytes += writeSync(file, page)
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
    return bytes
  } finally {
    closeSync(file)
  }
}
