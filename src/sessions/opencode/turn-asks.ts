/** The asks of one turn, each told once, and told when it is gone. Pure. */
import type { TurnEvent } from '../backend.ts'
import type { OpenAsk } from './asks.ts'

export interface TurnAsks {
  asked(ask: OpenAsk, now: number): TurnEvent[]
  replied(askID: string, reply?: 'once' | 'always' | 'reject'): TurnEvent[]
  /** `asks` were open at `askedAt`, and no others. */
  listed(asks: readonly OpenAsk[], askedAt: number): TurnEvent[]
}

/** `before`: asks that a predecessor was told of. */
export function createTurnAsks(before: readonly string[]): TurnAsks {
  const open = new Map<string, number>(before.map((askID) => [askID, 0]))
  const told = new Set<string>()

  function asked(ask: OpenAsk, now: number): TurnEvent[] {
    if (told.has(ask.id)) return []
    told.add(ask.id)
    open.set(ask.id, now)
    return [eventOf(ask)]
  }

  function replied(askID: string, reply?: 'once' | 'always' | 'reject'): TurnEvent[] {
    if (!open.delete(askID)) return []
    return [{ type: 'ask-gone', askID, ...(reply && { reply }) }]
  }

  return {
    asked,
    replied,
    listed(asks, askedAt) {
      const listed = new Set(asks.map(({ id }) => id))
      const gone = [...open].filter(([askID, since]) => since < askedAt && !listed.has(askID))
      return [...asks.flatMap((ask) => asked(ask, askedAt)), ...gone.flatMap(([askID]) => replied(askID))]
    },
  }
}

function eventOf({ id, kind, permission, patterns, always, questions }: OpenAsk): TurnEvent {
  return {
    type: 'asked',
    askID: id,
    always,
    subject: { kind, permission: kind === 'permission' ? permission : null, patterns, questions },
  }
}
