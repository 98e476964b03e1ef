/** The clock as the module sees it: it stands still during a pass, since the module asks several times per command. */
export interface ModuleClock {
  /** Nanoseconds as two words, the low one first; `undefined`: not one of the clocks that are told here. */
  read(id: number): Uint32Array | undefined
  /** A new pass begins. */
  goOn(): void
  /** Its time of day stands still for longer: while a log is replayed nothing may expire. */
  freeze(): void
  release(): void
}

const REALTIME = 0
const MONOTONIC = 1

/** A pass that takes long, as of a script that does not end, sees the time go on after so many questions. */
const MOST_READS = 1_000

/** Long ago: a key that had not expired when the log was written must not do so while it is replayed. */
const FROZEN_NS = BigInt(Date.UTC(2001)) * 1_000_000n

export function createModuleClock(): ModuleClock {
  const realtime = new BigUint64Array(1)
  const monotonic = new BigUint64Array(1)
  // As numbers: a command asks ten times and more, and each time a bigint would have to be made.
  const realtimeWords = new Uint32Array(realtime.buffer)
  const monotonicWords = new Uint32Array(monotonic.buffer)
  let readsLeft = 0
  let isFrozen = false
  return {
    read(id) {
      if (id !== REALTIME && id !== MONOTONIC) return undefined
      if (readsLeft === 0) {
        readsLeft = MOST_READS
        realtime[0] = isFrozen ? FROZEN_NS : BigInt(Date.now()) * 1_000_000n
        monotonic[0] = process.hrtime.bigint()
      }
      readsLeft -= 1
      return id === REALTIME ? realtimeWords : monotonicWords
    },
    goOn() {
      readsLeft = 0
    },
    freeze() {
      isFrozen = true
      readsLeft = 0
    },
    release() {
      isFrozen = false
      readsLeft = 0
    },
  }
}
