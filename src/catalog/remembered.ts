/** An answer of somebody who may be away: the last good one holds, and is asked for again in the background. */

const FRESH_MS = 60_000

export type Remembered<T> = ReturnType<typeof createRemembered<T>>

/** `load` is under way at most once at a time. */
export function createRemembered<T>(load: () => Promise<T>, now: () => number = Date.now) {
  let last: { value: T } | undefined
  let askedAt = Number.NEGATIVE_INFINITY
  let asking: Promise<T> | undefined

  function ask(): Promise<T> {
    asking ??= load()
      .then((value) => {
        last = { value }
        return value
      })
      .finally(() => {
        askedAt = now()
        asking = undefined
      })
    return asking
  }

  return {
    /**
     * What is known, at once; a minute later it is asked for again, which nobody waits for. Waits only the first time.
     * @throws what `load` throws when nothing is known yet.
     */
    async get(): Promise<T> {
      if (last === undefined) return ask()
      if (now() - askedAt > FRESH_MS) ask().catch(() => {})
      return last.value
    },

    /** What is known, without asking anybody. */
    peek: (): T | undefined => last?.value,

    /**
     * Asks again, unless that was done within the last `patienceMs`. The last good answer when nobody answers.
     * @throws what `load` throws when nothing is known yet.
     */
    async refresh(patienceMs: number): Promise<T> {
      if (last !== undefined && now() - askedAt < patienceMs) return last.value
      const known = last
      try {
        return await ask()
      } catch (error) {
        if (known === undefined) throw error
        return known.value
      }
    },
  }
}
