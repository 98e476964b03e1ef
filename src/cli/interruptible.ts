/**
 * Runs with a signal that aborts at the first Ctrl-C, so that something can still be said.
 *
 * A second one ends the process at once, as without us.
 */
export async function interruptible<Result>(run: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const abort = new AbortController()
  const onInterrupt = () => abort.abort()
  process.once('SIGINT', onInterrupt)
  try {
    return await run(abort.signal)
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}
