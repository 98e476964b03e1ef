import type { ServerResponse } from 'node:http'
import { TierlineError } from '../errors.ts'

/** Requests that wait for something: event streams, long polls, and what is asked of OpenCode. */
export interface WaitingRequests {
  /** Aborts when the client leaves, when the answer is out, or when the server closes, each with its reason. */
  signalFor(response: ServerResponse): AbortSignal
  abortAll(): void
}

// Made once: an abort without a reason makes one for each request, with a stack that nobody reads.
const OVER = new DOMException('The request is over', 'AbortError')
const STOPPING = new TierlineError(
  'opencode_unavailable',
  'Cannot wait for OpenCode: this server is stopping',
)

/** Nobody is there who could hear of it. */
export function isOver(error: unknown): boolean {
  return error === OVER
}

export function createWaitingRequests(): WaitingRequests {
  const open = new Set<AbortController>()
  let closed = false

  return {
    signalFor(response) {
      if (closed) return AbortSignal.abort(STOPPING)
      // It is closed, and will not say so again.
      if (response.destroyed) return AbortSignal.abort(OVER)
      const controller = new AbortController()
      open.add(controller)
      response.once('close', () => {
        open.delete(controller)
        controller.abort(OVER)
      })
      return controller.signal
    },
    abortAll() {
      closed = true
      for (const controller of open) controller.abort(STOPPING)
    },
  }
}
