import type { ServerResponse } from 'node:http'

/** Requests that wait for something: event streams and long polls. */
export interface WaitingRequests {
  /** Aborts when the client leaves, when the answer is out, or when the server closes. */
  signalFor(response: ServerResponse): AbortSignal
  abortAll(): void
}

export function createWaitingRequests(): WaitingRequests {
  const open = new Set<AbortController>()
  let closed = false

  return {
    signalFor(response) {
      const controller = new AbortController()
      if (closed || response.destroyed) controller.abort()
      open.add(controller)
      response.once('close', () => {
        open.delete(controller)
        controller.abort()
      })
      return controller.signal
    },
    abortAll() {
      closed = true
      for (const controller of open) controller.abort()
    },
  }
}
