import type { TurnEvent } from '../backend.ts'
import type { Tap, TapNotice } from './tap.ts'
import type { TurnView } from './turn-view.ts'

export interface TurnTap {
  /** What can be told of parts that were not seen to begin. Nothing while it is asked for their text. */
  settled(): TurnEvent[]
  /** It sends text from here on, or will not. */
  answered(isReady: boolean): void
  /** Events were lost: everything begins anew. */
  drop(): void
  close(): void
}

/** The tap as one turn uses it: asked when there is a part that was not seen to begin, and once for each connection. */
export function createTurnTap({
  tap,
  sessionID,
  view,
  push,
}: {
  /** `undefined`: there is none, and readers are told to wait for the end of such parts. */
  tap: Tap | undefined
  sessionID: string
  view: Pick<TurnView, 'hasUntoldBlind' | 'settled' | 'untapped'>
  push(notice: TapNotice): void
}): TurnTap {
  let state: 'none' | 'asking' | 'ready' | 'over' = 'none'
  let stop = (): void => {}

  return {
    settled() {
      if (state === 'none' && tap !== undefined && view.hasUntoldBlind()) {
        state = 'asking'
        stop = tap.follow(sessionID, push)
      }
      return state === 'asking' ? [] : view.settled()
    },
    answered(isReady) {
      if (!isReady) view.untapped()
      state = isReady ? 'ready' : 'over'
    },
    drop() {
      stop()
      stop = () => {}
      state = 'none'
      view.untapped()
    },
    close: () => stop(),
  }
}
