/** Rejects with the reason of `signal` as soon as that aborts; what becomes of `work` then is not looked at. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    const stopListening = () => signal.removeEventListener('abort', onAbort)
    work.finally(stopListening).then(resolve, reject)
  })
}
