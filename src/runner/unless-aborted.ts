/** Rejects with the reason of `signal` as soon as that aborts; what becomes of `work` then is not looked at. */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  if (signal.aborted) onAbort()
  return Promise.race([promise, work]).finally(() => signal.removeEventListener('abort', onAbort))
}
