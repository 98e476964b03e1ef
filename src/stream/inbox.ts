import type { TaskEvent } from '../tasks/event.ts'

type Batch = readonly TaskEvent[] | undefined

/** Batches that wait for one slow reader; past this it reads the log again, so memory stays bounded. */
const MOST_WAITING = 256

export type Inbox = ReturnType<typeof createInbox>

/**
 * Between the hub, which pushes, and a reader, which pulls. `undefined` says: look at the log again.
 * To be closed, since the signal may outlive the reader.
 */
export function createInbox(signal: AbortSignal) {
  let waiting: Batch[] = []
  let isClosed = signal.aborted
  let woken: PromiseWithResolvers<void> | undefined

  function wake(): void {
    woken?.resolve()
    woken = undefined
  }

  function close(): void {
    if (isClosed) return
    signal.removeEventListener('abort', close)
    isClosed = true
    waiting = []
    wake()
  }

  if (!isClosed) signal.addEventListener('abort', close)

  return {
    put(batch: Batch): void {
      if (isClosed) return
      if (batch === undefined || waiting.length >= MOST_WAITING) waiting = [undefined]
      else if (waiting[0] !== undefined || waiting.length === 0) waiting.push(batch)
      wake()
    },
    /** The next batch; once it is closed or its signal has aborted, `undefined`. */
    async take(): Promise<Batch> {
      while (waiting.length === 0 && !isClosed) {
        woken ??= Promise.withResolvers()
        await woken.promise
      }
      return waiting.shift()
    },
    close,
    /** Also after an abort of its signal. */
    isClosed: () => isClosed,
  }
}
