/** Why a process of ours ends in order: a signal, or the end of the process that started it. */
export type StopReason = 'SIGINT' | 'SIGTERM' | 'orphaned'

export interface Stopping {
  /** Resolves once. */
  readonly reason: Promise<StopReason>
  /** Aborts with the first reason. */
  readonly signal: AbortSignal
  /** Aborts at the second signal: somebody is out of patience. */
  readonly hurry: AbortSignal
  dispose(): void
}

/** Listens from now on. A child of `up` also stops when its channel closes. */
export function untilStopped(): Stopping {
  const { promise, resolve } = Promise.withResolvers<StopReason>()
  const first = new AbortController()
  const hurry = new AbortController()
  void promise.then(() => first.abort())
  let asked = false
  const onSignal = (signal: NodeJS.Signals) => {
    if (asked) hurry.abort()
    asked = true
    resolve(signal as StopReason)
  }
  const onOrphaned = () => resolve('orphaned')
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  if (process.send !== undefined) process.once('disconnect', onOrphaned)
  return {
    reason: promise,
    signal: first.signal,
    hurry: hurry.signal,
    dispose() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
      process.off('disconnect', onOrphaned)
    },
  }
}
