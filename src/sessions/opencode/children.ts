/**
 * The sessions that a turn has started by the tool `task`, and those that they have, as far as money goes. Pure.
 *
 * OpenCode leaves them out of the cost of their parent. A session may be gone on with by another call, in another
 * turn too: what was asked in it while this turn's call ran is this turn's.
 */
import type { Spending } from '../backend.ts'
import { createMessageStore, type MessageStore } from './message-store.ts'
import type { SessionEvent } from './session-event.ts'
import { spendingsOf } from './spendings.ts'
import { answersOf } from './turn-messages.ts'
import type { ToolPart, WireMessage } from './wire.ts'

export interface Children {
  /** Sessions below these messages, with theirs; more may turn up once those are listed. */
  below(turn: readonly WireMessage[]): string[]
  event(event: SessionEvent): void
  list(sessionID: string, messages: readonly WireMessage[]): void
  spendings(turn: readonly WireMessage[], isOver: boolean): Spending[]
}

interface Call {
  sessionID: string
  /** Epoch ms. */
  from: number
  /** `undefined`: it is not over. */
  to: number | undefined
}

export function createChildren(): Children {
  const stores = new Map<string, MessageStore>()

  function storeOf(sessionID: string): MessageStore {
    const known = stores.get(sessionID) ?? createMessageStore()
    stores.set(sessionID, known)
    return known
  }

  /** `path`: the sessions above these messages. */
  function callsBelow(messages: readonly WireMessage[], path: readonly string[] = []): Call[] {
    return callsIn(messages).flatMap((call) => {
      if (path.includes(call.sessionID)) return []
      const asked = storeOf(call.sessionID)
        .messages()
        .filter(({ info }) => isWithin(info.time.created, call))
      return [call, ...callsBelow(asked, [...path, call.sessionID])]
    })
  }

  return {
    below: (turn) => [...new Set(callsBelow(turn).map(({ sessionID }) => sessionID))],

    event(event) {
      if (event.type === 'message') storeOf(event.sessionID).put(event.info)
      else if (event.type === 'part') storeOf(event.sessionID).putPart(event.part)
    },

    list: (sessionID, messages) => storeOf(sessionID).replace(messages),

    spendings(turn, isTurnOver) {
      const calls = callsBelow(turn)
      return [...Map.groupBy(calls, ({ sessionID }) => sessionID)].flatMap(([sessionID, calls]) =>
        spendingsOf(storeOf(sessionID).messages(), {
          counts: ({ info }) => calls.some((call) => isWithin(info.time.created, call)),
          isOver: isTurnOver || calls.every(({ to }) => to !== undefined),
        }),
      )
    },
  }
}

function isWithin(at: number, { from, to = Number.POSITIVE_INFINITY }: Call): boolean {
  return at >= from && at <= to
}

function callsIn(messages: readonly WireMessage[]): Call[] {
  return answersOf(messages).flatMap(({ info, parts }) =>
    parts.flatMap((part) => {
      const sessionID = part.type === 'tool' ? part.state.metadata?.sessionId : undefined
      if (sessionID === undefined) return []
      const { status, time } = (part as ToolPart).state
      const isOver = status === 'completed' || status === 'error'
      return [{ sessionID, from: info.time.created, to: isOver ? time?.end : undefined }]
    }),
  )
}
