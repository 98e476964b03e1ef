import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export interface LogFile {
  /** What a full disk does not take is left out. Nothing happens after `close`: what a service started may print on after its end. */
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
  const keep = (bytes: Uint8Array): void => {
    if (size + bytes.length > maxBytes) {
      renameSync(path, `${path}.1`)
      const next = openSync(path, 'w', 0o600)
      closeSync(file!)
      file = next
      size = 0
    }
    writeSync(file!, bytes)
    size += bytes.length
  }
  return {
    write(bytes) {
      if (file === undefined) return
      try {
        keep(bytes)
      } catch {
        // A full disk: no reason for the services of this process to end.
      }
      tail = Buffer.concat([tail, bytes]).subarray(-TAIL_BYTES)
    },
    tail: (lines) => tail.toString().trimEnd().split('\n').slice(-lines).join('\n'),
    close() {
      if (file !== undefined) closeSync(file)
      file = undefined
    },
  }
}
