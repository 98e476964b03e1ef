/**
 * What one connection said and when, to be read when all is over. Outside of V8's heap: strings that are kept would make
 * each collection of young objects a pause of ten milliseconds and more, and the listener would measure itself.
 */
export interface Tape {
  record(atMs: number, chunk: Uint8Array): void
  /** All of it, as text. */
  play(): [atMs: number, text: string][]
}

const CHUNKS = 1_024
const BYTES = 256 * 1024

export function createTape(): Tape {
  let times = new Float64Array(CHUNKS)
  let ends = new Uint32Array(CHUNKS)
  let bytes = new Uint8Array(BYTES)
  let count = 0
  let length = 0

  return {
    record(atMs, chunk) {
      if (count === times.length) {
        times = twice(times, new Float64Array(2 * count))
        ends = twice(ends, new Uint32Array(2 * count))
      }
      while (length + chunk.length > bytes.length) bytes = twice(bytes, new Uint8Array(2 * bytes.length))
      bytes.set(chunk, length)
      length += chunk.length
      times[count] = atMs
      ends[count] = length
      count += 1
    },
    play() {
      const decoder = new TextDecoder()
      return Array.from({ length: count }, (_, index) => {
        const chunk = bytes.subarray(ends[index - 1] ?? 0, ends[index])
        return [times[index]!, decoder.decode(chunk, { stream: true })]
      })
    },
  }
}

function twice<Numbers extends Float64Array | Uint32Array | Uint8Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from)
  return to
}
