/** The tasks this process runs: so that a cancel finds the one it means, and parents are known to wait. */
import type { Keys } from '../redis/keys.ts'
import type { Interruption, RunSignals } from '../runner/interruption.ts'
import type { LiveHub } from '../stream/live-hub.ts'

export interface RunningTasks {
  /** Call `leave` when it runs no more. `isParent`: it has children already, from a run before this one. */
  enter(id: string, isParent: boolean): Required<Omit<RunSignals, 'end'>> & { leave(): void }
  /** The process shuts down: what runs is to be handed over, and whatever comes yet. */
  stop(): void
  readonly size: number
  /** Of these, the ones that have children: they may do nothing but wait. */
  readonly parents: number
  /** Calls back when a task becomes a parent. */
  onParent(listener: () => void): void
  close(): void
}

/** Listens on the control channel; where a message may have been lost, asks `having` instead. */
export async function trackRunningTasks(
  hub: LiveHub,
  keys: Keys,
  having: (field: 'cancelAt' | 'children', ids: readonly string[]) => Promise<string[]>,
): Promise<RunningTasks> {
  const running = new Map<string, AbortController>()
  // After a lost lock a task may come here a second time, while its first run goes on.
  const all = new Set<AbortController>()
  let isStopped = false
  const parents = new Set<string>()
  const answers = new Map<string, Set<() => void>>()
  const listeners = new Set<() => void>()
  const abort = (run: AbortController | undefined, why: Interruption) => run?.abort(why)
  const cancel = (id: string) => abort(running.get(id), 'cancelled')
  const addParent = (id: string) => {
    if (!running.has(id) || parents.has(id)) return
    parents.add(id)
    for (const listener of listeners) listener()
  }

  const answered = (id: string) => {
    for (const listener of answers.get(id) ?? []) listener()
  }

  const stopListening = await hub.listenPlain(keys.control, (message) => {
    if (message?.startsWith('cancel ')) return cancel(message.slice('cancel '.length))
    if (message?.startsWith('answer ')) return answered(message.slice('answer '.length))
    if (message?.startsWith('parent ')) return addParent(message.slice('parent '.length))
    if (message !== undefined || running.size === 0) return
    for (const id of answers.keys()) answered(id)
    const ids = [...running.keys()]
    // When Redis is away again the next look will tell.
    having('cancelAt', ids).then(
      (found) => found.forEach(cancel),
      () => {},
    )
    having('children', ids).then(
      (found) => found.forEach(addParent),
      () => {},
    )
  })

  return {
    enter(id, isParent) {
      const interrupt = new AbortController()
      running.set(id, interrupt)
      all.add(interrupt)
      if (isStopped) abort(interrupt, 'stop')
      if (isParent) addParent(id)
      return {
        interrupt,
        onAnswer(listener) {
          const listeners = answers.get(id) ?? new Set()
          answers.set(id, listeners.add(listener))
          return () => {
            listeners.delete(listener)
            if (listeners.size === 0 && answers.get(id) === listeners) answers.delete(id)
          }
        },
        leave() {
          all.delete(interrupt)
          if (running.get(id) !== interrupt) return
          running.delete(id)
          parents.delete(id)
        },
      }
    },
    stop() {
      isStopped = true
      for (const run of all) abort(run, 'stop')
    },
    get size() {
      return running.size
    },
    get parents() {
      return parents.size
    },
    onParent(listener) {
      listeners.add(listener)
    },
    close: stopListening,
  }
}
