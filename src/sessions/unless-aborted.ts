/** Rejects with the reason of `signal` as soon as that aborts, whether or not `answer` notices (see `opencode/event-feed.ts`). */
export function unlessAborted<T>(signal: AbortSignal, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
