/**
 * What the log already holds of each part of a turn, so that a take-over repeats nothing and leaves no gap.
 * Pure. Text is counted in UTF-16 units, as JavaScript does.
 */
import type { TextKind, TurnEvent } from '../sessions/backend.ts'
import type { TaskEvent } from '../tasks/event.ts'
import type { JournalEvent } from './journal.ts'

interface Part {
  kind: TextKind
  text: string
  ended: boolean
}

export type PartTexts = Map<string, Part>

/** The parts of one message as its log tells them. */
export function partsInLog(events: Iterable<TaskEvent>, messageID: string): PartTexts {
  const parts: PartTexts = new Map()
  for (const event of events) {
    if (!('messageID' in event) || event.messageID !== messageID) continue
    if (event.type === 'text-delta') grow(parts, event.partID, 'text', event.text)
    else if (event.type === 'reasoning-delta') grow(parts, event.partID, 'reasoning', event.text)
    else if (event.type === 'text-ended') parts.get(event.partID)!.ended = true
    else if (event.type === 'text-discarded') parts.delete(event.partID)
  }
  return parts
}

type PartEvent = Extract<TurnEvent, { partID: string }>

/** The log entries that bring the log up to `event`; `parts` is changed accordingly. */
export function entriesFor(parts: PartTexts, event: PartEvent, messageID: string): JournalEvent[] {
  const { partID } = event
  const part = parts.get(partID)
  const held = part?.text ?? ''
  switch (event.type) {
    case 'text': {
      // Beyond what is held: a gap, which the end of the part will close.
      if (part?.ended || event.offset > held.length) return []
      const rest = event.text.slice(held.length - event.offset)
      if (rest === '') return []
      grow(parts, partID, event.kind, rest)
      return [delta(event.kind, messageID, partID, held.length, rest)]
    }
    case 'part-ended': {
      if (part?.ended && held === event.text) return []
      const entries: JournalEvent[] = []
      let kept = held
      if (!event.text.startsWith(held)) {
        entries.push({ type: 'text-discarded', messageID, partID, reason: 'rewrite' })
        kept = ''
      }
      const rest = event.text.slice(kept.length)
      if (rest !== '') entries.push(delta(event.kind, messageID, partID, kept.length, rest))
      parts.set(partID, { kind: event.kind, text: event.text, ended: true })
      if (event.text !== '')
        entries.push({ type: 'text-ended', messageID, partID, length: event.text.length })
      return entries
    }
    case 'part-discarded': {
      parts.delete(partID)
      return held === '' ? [] : [{ type: 'text-discarded', messageID, partID, reason: event.reason }]
    }
    case 'part-lagging':
      return part?.ended ? [] : [{ type: 'stream-lagging', messageID, partID }]
  }
}

function grow(parts: PartTexts, partID: string, kind: TextKind, text: string): void {
  const part = parts.get(partID)
  if (part === undefined) parts.set(partID, { kind, text, ended: false })
  else part.text += text
}

function delta(
  kind: TextKind,
  messageID: string,
  partID: string,
  offset: number,
  text: string,
): JournalEvent {
  const type = kind === 'text' ? 'text-delta' : 'reasoning-delta'
  return { type, messageID, partID, offset, text }
}

/** At the end of a turn: what is still open was shown and belongs to no answer. Empties `parts` of it. */
export function discardOpen(parts: PartTexts, messageID: string): JournalEvent[] {
  const open = [...parts].filter(([, part]) => !part.ended && part.text !== '')
  for (const [partID] of open) parts.delete(partID)
  return open.map(([partID]) => ({ type: 'text-discarded', messageID, partID, reason: 'resume' }))
}
