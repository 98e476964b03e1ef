/**
 * Timers of all journals of a worker. Those that fall due in the same 5 ms ring together, so that what they write goes
 * out as one script: with a timer of its own each of two hundred streams would send a script for each of its writes.
 */

const SLOT_MS = 5
/** The end of this turn of the event loop: a timer takes a millisecond at least. */
const AT_ONCE = 0

export interface Alarm {
  /** When it was to ring. */
  dueAt: number
  cancel(): void
}

export interface Alarms {
  /** Rings up to 5 ms sooner, but never at once: what comes in this turn of the event loop is there then. */
  set(dueAt: number, now: number, ring: () => void): Alarm
}

export function createAlarms(): Alarms {
  const slots = new Map<number, Set<() => void>>()

  function open(slotAt: number, waitMs: number): Set<() => void> {
    const rings = new Set<() => void>()
    const ringAll = () => {
      slots.delete(slotAt)
      for (const ring of rings) ring()
    }
    if (waitMs > 0) setTimeout(ringAll, waitMs)
    else setImmediate(ringAll)
    slots.set(slotAt, rings)
    return rings
  }

  return {
    set(dueAt, now, ring) {
      const slotAt = dueAt <= now ? AT_ONCE : dueAt - (dueAt % SLOT_MS)
      const rings = slots.get(slotAt) ?? open(slotAt, slotAt - now)
      rings.add(ring)
      return { dueAt, cancel: () => rings.delete(ring) }
    },
  }
}
