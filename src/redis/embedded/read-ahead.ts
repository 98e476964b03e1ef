import { closeSync, openSync, readSync } from 'node:fs'

export interface ReadAhead {
  /** Fills the list of `count` buffers at `list` in `memory`, as WASI's `fd_read`; gives how much. */
  read(memory: WebAssembly.Memory, list: number, count: number): number
  close(): void
}

const BYTES = 4_000_000

/**
 * A file that is read once from its beginning. The module asks for a thousand bytes at a time, and WASI takes as
 * long for each as for a million.
 */
export function openReadAhead(path: string): ReadAhead {
  const file = openSync(path, 'r')
  const buffer = Buffer.alloc(BYTES)
  let from = 0
  let end = 0
  return {
    read({ buffer: memory }, list, count) {
      const target = Buffer.from(memory)
      let total = 0
      for (let i = 0; i < count; i += 1) {
        let pointer = target.readUInt32LE(list + i * 8)
        let wanted = target.readUInt32LE(list + i * 8 + 4)
        while (wanted > 0) {
          if (from === end) {
            from = 0
            end = readSync(file, buffer)
            if (end === 0) return total
          }
          const taken = buffer.copy(target, pointer, from, Math.min(end, from + wanted))
          from += taken
          pointer += taken
          wanted -= taken
          total += taken
        }
      }
      return total
    },
    close: () => closeSync(file),
  }
}
