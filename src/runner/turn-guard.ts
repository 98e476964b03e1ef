/** Watches one turn for what must not go on: too many steps, silence, and OpenCode's own waiting for a provider. */
import type { TurnCut } from '../records/task-record.ts'
import type { TurnEvent } from '../sessions/backend.ts'

export interface TurnLimits {
  /** Steps of the model after which a turn that still goes on is cut. */
  maxSteps: number
  /** How long nothing may be heard while the model is to speak; a tool may be silent for longer. */
  silenceMs: number
  /** The longest single wait that OpenCode is left with. */
  maxRetryAfterMs: number
  /** Requests in a row that its provider may fail while there is another model to go to. */
  maxRequests: number
  hasNext(): boolean
  /** How long a message may go without a step of progress once its provider fails. */
  retryWaitMs: number
  /** Epoch ms: nothing is waited for beyond. */
  deadlineAt: number
}

/** How long the provider has failed so far. */
export interface Failing {
  /** Epoch ms of the first failure since the last step that went well; `undefined`: none. */
  since: number | undefined
  /** Requests in a row that it failed, as far as OpenCode told. */
  requests: number
}

export interface TurnGuard {
  saw(event: TurnEvent): void
  /** Another limit is reached, one of money. Nothing happens when the turn is cut or over. */
  end(reason: TurnCut): void
  readonly failing: Failing
  close(): void
}

/** Calls `cut` once, at the first limit that is reached. `since`: the provider had failed before this turn. */
export function createTurnGuard(
  limits: TurnLimits,
  since: number | undefined,
  cut: (cut: TurnCut) => void,
): TurnGuard {
  const { maxSteps, silenceMs, maxRetryAfterMs, maxRequests, hasNext, retryWaitMs, deadlineAt } = limits
  const failing: Failing = { since, requests: 0 }
  /** Tools that run and asks that are open: the model is not to speak. */
  const underWay = new Set<string>()
  let heardAt = Date.now()
  let isOver = false
  let timer = setTimeout(listen, silenceMs)

  function end(reason: TurnCut): void {
    if (isOver) return
    close()
    cut(reason)
  }

  /** One timer, not one per event: it looks how long ago the last was. */
  function listen(): void {
    const leftMs = underWay.size > 0 ? silenceMs : heardAt + silenceMs - Date.now()
    if (leftMs > 0) timer = setTimeout(listen, leftMs)
    else
      end({
        code: 'stream_silent',
        message: `Cannot go on with the turn: nothing was heard of the model for ${seconds(silenceMs)} s`,
      })
  }

  function sawRetry(attempt: number, nextAt: number, message: string): void {
    const now = Date.now()
    const waitMs = Math.max(0, nextAt - now)
    failing.since ??= now
    failing.requests = attempt
    // What OpenCode waits is not silence.
    heardAt = Math.max(heardAt, nextAt)
    const isTooLong = waitMs > maxRetryAfterMs || nextAt > Math.min(failing.since + retryWaitMs, deadlineAt)
    if (isTooLong || (attempt >= maxRequests && hasNext()))
      end({ code: 'provider_error', message, retryAfterMs: isTooLong ? waitMs : 0 })
  }

  function close(): void {
    isOver = true
    clearTimeout(timer)
  }

  return {
    end,
    saw(event) {
      heardAt = Math.max(heardAt, Date.now())
      switch (event.type) {
        case 'tool-called':
          underWay.add(event.callID)
          break
        case 'asked':
          underWay.add(event.askID)
          break
        case 'ask-gone':
          underWay.delete(event.askID)
          break
        case 'tool-finished':
          underWay.delete(event.callID)
          break
        case 'turn-resumed':
          underWay.clear()
          break
        case 'provider-retry':
          sawRetry(event.attempt, event.nextAt, event.message)
          break
        case 'step':
          underWay.clear()
          failing.since = undefined
          failing.requests = 0
          if (event.goesOn && event.steps >= maxSteps)
            end({
              code: 'too_many_steps',
              message: `Cannot go on with the turn: its model has taken ${event.steps} steps, the limit is ${maxSteps}`,
            })
      }
    },
    failing,
    close,
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 1000)
}
