/**
 * The text of a turn's parts as it comes in, and what of it may be shown. Pure.
 *
 * OpenCode tells the text of an open part only in deltas without an offset. So a delta counts only when
 * this connection saw the part begin; otherwise the part is blind, and its text comes at its end.
 */
import type { TextKind, TurnEvent } from '../backend.ts'
import type { TextPart } from './wire.ts'

interface Part {
  kind: TextKind
  messageID: string
  state: 'live' | 'blind' | 'tapped' | 'ended' | 'discarded'
  received: string
  /** UTF-16 units of `received` that were shown. */
  shown: number
  /** A blind part is announced once, and not before it is certain that its beginning was missed. */
  isAnnounced: boolean
}

export interface TextParts {
  /** A part without an end, told by an event (so we see it begin) or found in a list. */
  opened(part: TextPart, by: 'event' | 'list'): TurnEvent[]
  grew(partID: string, text: string): TurnEvent[]
  ended(part: TextPart): TurnEvent[]
  /** Gives up open parts, of one message or of all. */
  discard(reason: 'retry' | 'resume', messageID?: string): TurnEvent[]
  discardOne(partID: string, reason: 'retry' | 'resume'): TurnEvent[]
  /** The same on an event, which may be older than a list that was just read: parts new in that stay. */
  discardHeard(reason: 'retry', messageID?: string): TurnEvent[]
  /** The connection broke: what comes after it fits no part that is open now. */
  disconnected(): void
  /** Text of a part from another source, with its place: from the beginning, then what follows. */
  tapped(partID: string, offset: number, text: string): TurnEvent[]
  /** That source is gone. */
  untapped(): void
  /** True when an open part was not seen to begin, and nobody knows of that yet. */
  hasUntoldBlind(): boolean
  /** Call when all that was heard before a list was taken has been told. */
  announceBlind(): TurnEvent[]
}

export function createTextParts(): TextParts {
  const parts = new Map<string, Part>()

  function add({ id, type, messageID, text }: TextPart, state: Part['state']): Part {
    const received = state === 'live' ? text : ''
    const part: Part = { kind: type, messageID, state, received, shown: 0, isAnnounced: false }
    parts.set(id, part)
    return part
  }

  function show(partID: string, part: Part): TurnEvent[] {
    const offset = part.shown
    const end = isOpen(part) ? wholeLength(part.received) : part.received.length
    if (end <= offset) return []
    part.shown = end
    return [{ type: 'text', kind: part.kind, partID, offset, text: part.received.slice(offset, end) }]
  }

  function isOpen({ state }: Part): boolean {
    return state === 'live' || state === 'blind' || state === 'tapped'
  }

  function discardAll(reason: 'retry' | 'resume', isMeant: (part: Part) => boolean): TurnEvent[] {
    return [...parts].flatMap(([partID, part]) =>
      isOpen(part) && isMeant(part) ? discardPart(partID, part, reason) : [],
    )
  }

  function discardPart(partID: string, part: Part, reason: 'retry' | 'resume' | 'rewrite'): TurnEvent[] {
    part.state = 'discarded'
    part.received = ''
    part.shown = 0
    return [{ type: 'part-discarded', partID, reason }]
  }

  return {
    opened(found, by) {
      const known = parts.get(found.id)
      if (!known) {
        const part = add(found, by === 'event' ? 'live' : 'blind')
        return show(found.id, part)
      }
      // The list was taken after the part began, and the event that says so waited behind it.
      const isUntold = known.state === 'discarded' || (known.state === 'blind' && !known.isAnnounced)
      if (by === 'event' && isUntold && known.shown === 0) {
        known.state = 'live'
        known.received = found.text
      }
      return []
    },

    grew(partID, text) {
      const part = parts.get(partID)
      if (part?.state !== 'live') return []
      part.received += text
      return show(partID, part)
    },

    ended(found) {
      const part = parts.get(found.id) ?? add(found, 'blind')
      if (part.state === 'ended') return []
      if (part.state === 'discarded' && found.text === '') return []
      const events: TurnEvent[] = []
      const isPartlyShown = part.shown > 0
      if (!found.text.startsWith(part.received.slice(0, part.shown)))
        events.push(...discardPart(found.id, part, 'rewrite'))
      part.state = 'ended'
      part.received = found.text
      if (isPartlyShown) events.push(...show(found.id, part))
      part.received = ''
      if (found.text !== '' || isPartlyShown)
        events.push({ type: 'part-ended', kind: found.type, partID: found.id, text: found.text })
      return events
    },

    discard: (reason, messageID) =>
      discardAll(reason, (part) => messageID === undefined || part.messageID === messageID),

    discardHeard: (reason, messageID) =>
      discardAll(
        reason,
        (part) =>
          (part.state === 'live' || part.state === 'tapped' || part.isAnnounced) &&
          (messageID === undefined || part.messageID === messageID),
      ),

    discardOne(partID, reason) {
      const part = parts.get(partID)
      return part && isOpen(part) ? discardPart(partID, part, reason) : []
    },

    disconnected() {
      for (const part of parts.values()) {
        if (part.state !== 'live') continue
        part.state = 'blind'
        part.isAnnounced = false
      }
    },

    tapped(partID, offset, text) {
      const part = parts.get(partID)
      if (part?.state === 'blind' && offset === 0) {
        // What was shown of it before the connection broke is its beginning, or the end will say otherwise.
        if (!text.startsWith(part.received)) return []
        part.state = 'tapped'
        part.received = ''
      }
      if (part?.state !== 'tapped' || offset > part.received.length) return []
      part.received += text.slice(part.received.length - offset)
      return show(partID, part)
    },

    untapped() {
      for (const part of parts.values()) {
        if (part.state !== 'tapped') continue
        part.state = 'blind'
        part.isAnnounced = false
      }
    },

    hasUntoldBlind: () =>
      [...parts.values()].some(({ state, isAnnounced }) => state === 'blind' && !isAnnounced),

    announceBlind() {
      return [...parts].flatMap(([partID, part]): TurnEvent[] => {
        if (part.state !== 'blind' || part.isAnnounced) return []
        part.isAnnounced = true
        return [{ type: 'part-lagging', partID }]
      })
    },
  }
}

/** Without a high surrogate at the end: its other half comes with the next delta. */
function wholeLength(text: string): number {
  const last = text.charCodeAt(text.length - 1)
  return last >= 0xd800 && last <= 0xdbff ? text.length - 1 : text.length
}
