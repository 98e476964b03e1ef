/**
 * When something must be done about a turn that says nothing. Pure: whoever asks gives the time.
 *
 * The server tells when a session is busy, and is late with it; so only a session that stays idle for a
 * while is taken for one that has lost its turn.
 */

/** How long a turn may be idle before something is done about it. */
export interface Pace {
  /** In the middle: then the server has lost it. */
  quietMs: number
  /**
   * Before anything was done about the message, doubled with each repeat: a server that boots the directory
   * says that the session is idle.
   */
  quietAtFirstMs: number
  /** Once the server has said that it cannot begin. */
  quietAfterErrorMs: number
}

export const PACE: Pace = { quietMs: 2_000, quietAtFirstMs: 5_000, quietAfterErrorMs: 300 }

/** An aborted session may make one more call after a child of it was stopped. */
const ABORT_AGAIN_MS = 1_000
const LONG_MS = 60_000

export interface TurnClock {
  /** The message is on its way; nothing is due until `sent`. */
  sending(repeats: number): void
  sent(now: number): void
  /** The server said something of the session. `begins`: that it does something about the turn. */
  heard(now: number, begins: boolean): void
  /** It was found busy or idle when asked at `askedAt`. */
  found(isBusy: boolean, askedAt: number): void
  abortAsked(now: number): void
  isAborting(): boolean
  hasBegun(): boolean
  /** Until something is due; 0: now. `isHopeless`: the server has said that it cannot begin. */
  pauseMs(now: number, isHopeless: boolean): number
  /** True when the turn was idle for long enough. */
  isQuiet(now: number, isHopeless: boolean): boolean
  /** True, once a second, when an abort was asked for and must be asked again if the session is busy. */
  takeAbort(now: number): boolean
}

export function createTurnClock(pace: Pace, startedAt: number): TurnClock {
  let isSending = false
  let hasBegun = false
  let heardAt = startedAt
  /** `undefined`: it is busy, or may be. */
  let idleSince: number | undefined
  let abortAt: number | undefined
  let quietMs = pace.quietAtFirstMs

  return {
    isAborting: () => abortAt !== undefined,
    hasBegun: () => hasBegun,
    sending(repeats) {
      isSending = true
      hasBegun = false
      idleSince = undefined
      quietMs = pace.quietAtFirstMs * 2 ** repeats
    },
    sent(now) {
      isSending = false
      heardAt = now
    },
    heard(now, begins) {
      heardAt = now
      idleSince = undefined
      if (!begins) return
      hasBegun = true
      quietMs = pace.quietMs
    },
    found(isBusy, askedAt) {
      if (isBusy) {
        idleSince = undefined
        heardAt = Math.max(heardAt, askedAt)
      } else if (!isSending && askedAt >= heardAt) idleSince ??= askedAt
    },
    abortAsked(now) {
      abortAt = now + ABORT_AGAIN_MS
    },
    pauseMs(now, isHopeless) {
      if (isSending) return LONG_MS
      if (isHopeless) return Math.max(0, heardAt + pace.quietAfterErrorMs - now)
      const quietAt = idleSince === undefined ? now + LONG_MS : idleSince + quietMs
      return Math.max(0, Math.min(quietAt, abortAt ?? quietAt) - now)
    },
    isQuiet(now, isHopeless) {
      if (isSending || idleSince === undefined) return false
      return isHopeless || now - idleSince >= quietMs
    },
    takeAbort(now) {
      if (isSending || abortAt === undefined || now < abortAt) return false
      abortAt = now + ABORT_AGAIN_MS
      return true
    },
  }
}
