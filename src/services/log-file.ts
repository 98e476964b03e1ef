import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export interface LogFile {
  /** Nothing happens after `close`: what a service started may print on after its end. */
  write(bytes: Uint8Array): void
  /** The last lines written, at most `lines`. */
  tail(lines: number): string
  close(): void
}

const TAIL_BYTES = 8_192

/** Starts an empty log, readable by its owner only. At `maxBytes` it moves to `FILE.1` and starts anew. */
export function createLogFile(path: string, maxBytes = 10_000_000): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let file: number | undefined = openSync(path, 'w', 0o600)
  let size = 0
  let tail = Buffer.alloc(0)
  return {
    write(bytes) {
      if (file === undefined) return
      if (size + bytes.length > maxBytes) {
        closeSync(file)
        renameSync(path, `${path}.1`)
        file = openSync(path, 'w', 0o600)
        size = 0
      }
      writeSync(file, bytes)
      size += bytes.length
      tail = Buffer.concat([tail, bytes]).subarray(-TAIL_BYTES)
    },
    tail: (lines) => tail.toString().trimEnd().split('\n').slice(-lines).join('\n'),
    close() {
      if (file !== undefined) closeSync(file)
      file = undefined
    },
  }
}
