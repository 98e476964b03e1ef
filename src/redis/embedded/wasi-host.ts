import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { WASI } from 'node:wasi'
import { growInLargerSteps } from './memory-steps.ts'
import type { ModuleClock } from './module-clock.ts'
import { openReadAhead, type ReadAhead } from './read-ahead.ts'
import { SNAPSHOT_NAME } from './snapshot.ts'

export interface WasiHost {
  readonly imports: WebAssembly.ModuleImports
  initialize(instance: WebAssembly.Instance): void
  /** It has begun its random numbers: the file is no longer needed. */
  removeRandomness(): void
}

/** As much as a buffered read may take. */
const RANDOM_BYTES = 4_096

const OK = 0

/**
 * The system as the module sees it: one directory as its whole file system, `clock`, which is frozen from the moment
 * it looks for the snapshot, and random numbers, which it takes from a file.
 */
export function createWasiHost(directory: string, clock: ModuleClock): WasiHost {
  const devices = join(directory, 'dev')
  // Without it every process would have the same ones, and the ids of all replication streams would be equal.
  mkdirSync(devices, { recursive: true })
  writeFileSync(join(devices, 'urandom'), randomBytes(RANDOM_BYTES))
  // The module's log goes to stderr: stdout is for what the process has to say.
  const wasi = new WASI({
    version: 'preview1',
    args: ['valkey-server'],
    preopens: { '/': directory },
    stdout: 2,
    stderr: 2,
  })
  const {
    clock_time_get: readClock,
    path_open: open,
    fd_read: read,
    fd_close: close,
  } = wasi.wasiImport as {
    clock_time_get(clock: number, precision: bigint, pointer: number): number
    path_open(...words: unknown[]): number
    fd_read(fd: number, list: number, count: number, pointer: number): number
    fd_close(fd: number): number
  }
  let memory: WebAssembly.Memory | undefined
  let snapshot: (ReadAhead & { fd: number }) | undefined
  let view = new DataView(new ArrayBuffer(0))
  let hasLooked = false
  return {
    imports: {
      ...wasi.wasiImport,
      clock_time_get(id: number, precision: bigint, pointer: number) {
        const ns = clock.read(id)
        if (ns === undefined) return readClock(id, precision, pointer)
        // A new one whenever the memory has grown.
        if (view.buffer !== memory!.buffer) view = new DataView(memory!.buffer)
        view.setBigUint64(pointer, ns, true)
        return OK
      },
      path_open(...words: number[]) {
        const [, , pointer = 0, length = 0] = words
        const error = open(...words)
        const path = Buffer.from(memory!.buffer, pointer, length).toString()
        if (path !== SNAPSHOT_NAME || hasLooked) return error
        hasLooked = true
        clock.freeze()
        growInLargerSteps(memory!)
        if (error !== OK) return error
        const fd = new DataView(memory!.buffer).getUint32(words.at(-1)!, true)
        snapshot = { fd, ...openReadAhead(join(directory, SNAPSHOT_NAME)) }
        return error
      },
      fd_read(fd: number, list: number, count: number, pointer: number) {
        if (fd !== snapshot?.fd) return read(fd, list, count, pointer)
        const bytes = snapshot.read(memory!, list, count)
        new DataView(memory!.buffer).setUint32(pointer, bytes, true)
        return OK
      },
      fd_close(fd: number) {
        if (fd === snapshot?.fd) {
          snapshot.close()
          snapshot = undefined
        }
        return close(fd)
      },
    },
    initialize(instance) {
      memory = instance.exports.memory as WebAssembly.Memory
      wasi.initialize(instance)
    },
    removeRandomness: () => rmSync(devices, { recursive: true }),
  }
}
