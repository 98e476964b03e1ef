import { randomFillSync } from 'node:crypto'
import { join } from 'node:path'
import { WASI } from 'node:wasi'
import { growInLargerSteps } from './memory-steps.ts'
import type { ModuleClock } from './module-clock.ts'
import { createModuleMemory, type ModuleMemory } from './module-memory.ts'
import { openReadAhead, type ReadOnlyFile } from './read-ahead.ts'
import { SNAPSHOT_NAME } from './snapshot.ts'

export interface WasiHost {
  readonly imports: WebAssembly.ModuleImports
  initialize(instance: WebAssembly.Instance): void
}

const RANDOM_NAME = 'dev/urandom'

/** Of the random numbers, which are no file of the system: WASI counts up from 3. */
const RANDOM_FD = 1_000_000

const OK = 0

/**
 * The system as the module sees it: one directory as its whole file system, `clock`, which is frozen from the moment
 * it looks for the snapshot, and random numbers.
 */
export function createWasiHost(directory: string, clock: ModuleClock): WasiHost {
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
  // Without them every process would have the same ones, and the ids of all replication streams would be equal.
  const own = new Map<number, ReadOnlyFile>([[RANDOM_FD, randomNumbers]])
  let memory: ModuleMemory
  let hasLooked = false
  return {
    imports: {
      ...wasi.wasiImport,
      clock_time_get(id: number, precision: bigint, pointer: number) {
        const ns = clock.read(id)
        if (ns === undefined) return readClock(id, precision, pointer)
        const words = memory.words()
        words[pointer >>> 2] = ns[0]!
        words[(pointer >>> 2) + 1] = ns[1]!
        return OK
      },
      path_open(...words: number[]) {
        const [, , pointer = 0, length = 0] = words
        const path = memory.bytes().toString('utf8', pointer, pointer + length)
        const result = words.at(-1)!
        if (path === RANDOM_NAME) {
          memory.bytes().writeUInt32LE(RANDOM_FD, result)
          return OK
        }
        const error = open(...words)
        if (path !== SNAPSHOT_NAME || hasLooked) return error
        hasLooked = true
        clock.freeze()
        growInLargerSteps(memory.bytes())
        if (error === OK)
          own.set(memory.bytes().readUInt32LE(result), openReadAhead(join(directory, SNAPSHOT_NAME)))
        return error
      },
      fd_read(fd: number, list: number, count: number, pointer: number) {
        const file = own.get(fd)
        if (file === undefined) return read(fd, list, count, pointer)
        memory.bytes().writeUInt32LE(readInto(memory.bytes(), list, count, file), pointer)
        return OK
      },
      fd_close(fd: number) {
        if (fd === RANDOM_FD) return OK
        own.get(fd)?.close()
        own.delete(fd)
        return close(fd)
      },
    },
    initialize(instance) {
      memory = createModuleMemory(instance.exports.memory as WebAssembly.Memory)
      wasi.initialize(instance)
    },
  }
}

const randomNumbers: ReadOnlyFile = {
  fill(target, from, to) {
    randomFillSync(target, from, to - from)
    return to - from
  },
  close() {},
}

/** Fills the `count` buffers, each a pointer and a length, that stand at `list`; gives how many bytes. */
function readInto(bytes: Buffer, list: number, count: number, file: ReadOnlyFile): number {
  let total = 0
  for (let i = 0; i < count; i += 1) {
    const pointer = bytes.readUInt32LE(list + i * 8)
    const length = bytes.readUInt32LE(list + i * 8 + 4)
    const filled = file.fill(bytes, pointer, pointer + length)
    total += filled
    if (filled < length) break
  }
  return total
}
