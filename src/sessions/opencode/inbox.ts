/** A queue that one reader waits on. */
export interface Inbox<T> {
  push(item: T): void
  /** The oldest item; `undefined` when none comes within `timeoutMs`. Rejects when the signal aborts. */
  next(timeoutMs: number, signal: AbortSignal): Promise<T | undefined>
  /** The oldest item, if there is one now. */
  take(): T | undefined
}

export function createInbox<T>(): Inbox<T> {
  const items: T[] = []
  let wake: (() => void) | undefined

  return {
    push(item) {
      items.push(item)
      wake?.()
    },
    take: () => items.shift(),
    next(timeoutMs, signal) {
      if (signal.aborted) return Promise.reject(signal.reason)
      if (items.length > 0) return Promise.resolve(items.shift())
      return new Promise((resolve, reject) => {
        const settle = (finish: () => void): void => {
          wake = undefined
          clearTimeout(timer)
          signal.removeEventListener('abort', onAbort)
          finish()
        }
        const onAbort = (): void => settle(() => reject(signal.reason))
        const timer = setTimeout(() => settle(() => resolve(undefined)), timeoutMs)
        signal.addEventListener('abort', onAbort)
        wake = () => settle(() => resolve(items.shift()))
      })
    },
  }
}
