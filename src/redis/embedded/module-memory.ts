/** The module's memory, as it is now: whenever it grows, all that was a view of it is empty. */
export interface ModuleMemory {
  bytes(): Buffer
  /** The same in words of 32 bits: of the pointers that the module hands out, a quarter is the index. */
  words(): Uint32Array
}

/** Looks for a new buffer only when the last one is gone: the getter of V8 costs more than what it is asked for. */
export function createModuleMemory(memory: WebAssembly.Memory): ModuleMemory {
  let bytes = Buffer.alloc(0)
  let words = new Uint32Array(0)
  const renew = (): void => {
    bytes = Buffer.from(memory.buffer)
    words = new Uint32Array(memory.buffer)
  }
  return {
    bytes() {
      if (bytes.length === 0) renew()
      return bytes
    },
    words() {
      if (words.length === 0) renew()
      return words
    },
  }
}
