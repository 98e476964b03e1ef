import type { ServerResponse } from 'node:http'

/** Requests that wait for something: event streams and long polls. */
export interface WaitingRequests {
  /** Aborts when the client leaves, when the answer is out, or when the server closes. */
  signalFor(response: ServerResponse): AbortSignal
  abortAll(): void
}

// Made once: an abort without a reason makes one for each request, with a stack that nobody reads.
const OVER = new DOMException('The request is over', 'AbortError')

export function createWaitingRequests(): WaitingRequests {
  const open = new Set<AbortController>()
  let closed = false

  return {
    signalFor(response) {
      const controller = new AbortController()
      if (closed || response.destroyed) controller.abort(OVER)
      open.add(controller)
      response.once('close', () => {
        open.delete(controller)
        controller.abort(OVER)
      })
      return controller.signal
    },
    abortAll() {
      closed = true
      for (const controller of open) controller.abort(OVER)
    },
  }
}
