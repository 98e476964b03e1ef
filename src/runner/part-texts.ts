/**
 * What the log already holds of each part of a turn, so that a take-over repeats nothing and leaves no gap.
 * Pure. Text is counted in UTF-16 units, as JavaScript does.
 */
import type { TextKind, TurnEvent } from '../sessions/backend.ts'
import type { TaskEvent } from '../tasks/event.ts'
import type { JournalEvent } from './journal.ts'

interface Part {
  text: string
  ended: boolean
  /** The log was trimmed since: of its text only the end is left, or nothing. */
  trimmed?: true
}

export type PartTexts = Map<string, Part>

/** The parts of one message as its log tells them. */
export function partsInLog(events: Iterable<TaskEvent>, messageID: string): PartTexts {
  const parts: PartTexts = new Map()
  for (const event of events) {
    if (!('messageID' in event) || event.messageID !== messageID) continue
    if (event.type === 'text-delta' || event.type === 'reasoning-delta') {
      const isTrimmed = event.offset > 0 && !parts.has(event.partID)
      grow(parts, event.partID, event.text)
      if (isTrimmed) parts.get(event.partID)!.trimmed = true
    } else if (event.type === 'text-discarded') parts.delete(event.partID)
    else if (event.type === 'text-ended') {
      const text = parts.get(event.partID)?.text ?? ''
      const isWhole = text.length === event.length
      parts.set(event.partID, { text, ended: true, ...(!isWhole && { trimmed: true }) })
    }
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
      // Beyond what is held, or nobody knows: a gap, which the end of the part will close.
      if (part?.ended || part?.trimmed || event.offset > held.length) return []
      const rest = event.text.slice(held.length - event.offset)
      if (rest === '') return []
      grow(parts, partID, rest)
      return [delta(event.kind, messageID, partID, held.length, rest)]
    }
    case 'part-ended': {
      if (part?.ended && (part.trimmed || held === event.text)) return []
      const entries: JournalEvent[] = []
      let kept = held
      if (part?.trimmed || !event.text.startsWith(held)) {
        entries.push({ type: 'text-discarded', messageID, partID, reason: 'rewrite' })
        kept = ''
      }
      const rest = event.text.slice(kept.length)
      if (rest !== '') entries.push(delta(event.kind, messageID, partID, kept.length, rest))
      parts.set(partID, { text: event.text, ended: true })
      if (event.text !== '')
        entries.push({ type: 'text-ended', messageID, partID, length: event.text.length })
      return entries
    }
    case 'part-discarded': {
      parts.delete(partID)
      return held === '' && !part?.trimmed
        ? []
        : [{ type: 'text-discarded', messageID, partID, reason: event.reason }]
    }
    case 'part-lagging':
      return part?.ended ? [] : [{ type: 'stream-lagging', messageID, partID }]
  }
}

function grow(parts: PartTexts, partID: string, text: string): void {
  const part = parts.get(partID)
  if (part === undefined) parts.set(partID, { text, ended: false })
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

/** At the end of a turn: what is still open was shown and belongs to no answer. */
export function discardOpen(parts: PartTexts, messageID: string): JournalEvent[] {
  return discard(parts, messageID, 'resume', (part) => !part.ended)
}

/** Before a new paid try: nothing of what was shown belongs to an answer. */
export function discardAll(parts: PartTexts, messageID: string): JournalEvent[] {
  return discard(parts, messageID, 'retry', () => true)
}

function discard(
  parts: PartTexts,
  messageID: string,
  reason: 'retry' | 'resume',
  which: (part: Part) => boolean,
): JournalEvent[] {
  const gone = [...parts].filter(([, part]) => which(part) && (part.text !== '' || part.trimmed))
  for (const [partID] of gone) parts.delete(partID)
  return gone.map(([partID]) => ({ type: 'text-discarded', messageID, partID, reason }))
}
