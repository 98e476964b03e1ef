/**
 * Runs with a signal that aborts at the first Ctrl-C, so that something can still be said.
 *
 * A second one ends the process at once, as without us.
 */
export async function interruptible<Result>(run: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const abort = new AbortController()
  // Not `once`: who hides the cursor listens too, and ends the process when nobody else does.
  const onInterrupt = () => {
    if (!abort.signal.aborted) return abort.abort()
    process.off('SIGINT', onInterrupt)
    process.kill(process.pid, 'SIGINT')
  }
  process.on('SIGINT', onInterrupt)
  try {
    return await run(abort.signal)
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}
