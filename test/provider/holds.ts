/** Places where a scripted answer stops until a test lets it go on: so tests wait for states, never for time. */
export interface Holds {
  /** Waits here until `name` is released; a released one stays open. Rejects when the signal aborts. */
  pass(name: string, signal: AbortSignal): Promise<void>
  /** Resolves when an answer has come to this hold `times` times, be it still there or not. */
  held(name: string, times?: number): Promise<void>
  release(name: string): void
  /** Names at which answers stand now. */
  waiting(): string[]
}

interface Gate {
  arrivals: number
  standing: number
  open: boolean
  changed: Set<() => void>
}

export function createHolds(): Holds {
  const gates = new Map<string, Gate>()

  function gate(name: string): Gate {
    const found = gates.get(name) ?? { arrivals: 0, standing: 0, open: false, changed: new Set() }
    gates.set(name, found)
    return found
  }

  function announce({ changed }: Gate): void {
    for (const listener of [...changed]) listener()
  }

  function until(at: Gate, holds: () => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (signal?.aborted) settle(() => reject(signal.reason))
        else if (holds()) settle(resolve)
      }
      const settle = (finish: () => void): void => {
        at.changed.delete(check)
        signal?.removeEventListener('abort', check)
        finish()
      }
      at.changed.add(check)
      signal?.addEventListener('abort', check)
      check()
    })
  }

  return {
    async pass(name, signal) {
      const at = gate(name)
      at.arrivals += 1
      at.standing += 1
      announce(at)
      try {
        await until(at, () => at.open, signal)
      } finally {
        at.standing -= 1
      }
    },
    held(name, times = 1) {
      const at = gate(name)
      return until(at, () => at.arrivals >= times)
    },
    release(name) {
      const at = gate(name)
      at.open = true
      announce(at)
    },
    waiting: () => [...gates].filter(([, at]) => at.standing > 0).map(([name]) => name),
  }
}
