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
  let wake: (() => void) | undefined
  const onAbort = () => wake?.()
  signal.addEventListener('abort', onAbort)

  return {
    put(batch: Batch): void {
      if (batch === undefined || waiting.length >= MOST_WAITING) waiting = [undefined]
      else if (waiting[0] !== undefined || waiting.length === 0) waiting.push(batch)
      wake?.()
    },
    /** The next batch; at an abort of the signal, `undefined`. */
    async take(): Promise<Batch> {
      while (waiting.length === 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return waiting.shift()
    },
    close: () => signal.removeEventListener('abort', onAbort),
  }
}
