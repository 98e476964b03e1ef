import { closeSync, openSync, readSync } from 'node:fs'

/** A file that the module reads once, from its beginning. */
export interface ReadOnlyFile {
  /** Gives how much of the range it has filled; less than all only at its end. */
  fill(target: Buffer, from: number, to: number): number
  close(): void
}

const BYTES = 4_000_000

/** The module asks for a thousand bytes at a time, and WASI takes as long for each as for a million. */
export function openReadAhead(path: string): ReadOnlyFile {
  const file = openSync(path, 'r')
  const buffer = Buffer.alloc(BYTES)
  let from = 0
  let end = 0
  return {
    fill(target, start, to) {
      let at = start
      while (at < to) {
        if (from === end) {
          from = 0
          end = readSync(file, buffer)
          if (end === 0) break
        }
        const taken = buffer.copy(target, at, from, Math.min(end, from + to - at))
        from += taken
        at += taken
      }
      return at - start
    },
    close: () => closeSync(file),
  }
}
