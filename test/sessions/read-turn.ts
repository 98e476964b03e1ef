import { expect } from 'vitest'
import type { TurnEvent } from '../../src/sessions/backend.ts'

export interface ReadTurn {
  /** Text parts in order, as a reader holds them who did what the events say. */
  texts: string[]
  reasoning: string[]
}

/** Applies the events as a reader would, and checks on the way that they leave no gap and repeat nothing. */
export function readTurn(events: readonly TurnEvent[]): ReadTurn {
  const held = new Map<string, string>()
  const ended = new Map<string, { kind: 'text' | 'reasoning'; text: string }>()
  for (const event of events) {
    if (event.type === 'text') {
      const text = held.get(event.partID) ?? ''
      expect(event.offset, `offset of ${JSON.stringify(event)}`).toBe(text.length)
      expect(event.text).not.toBe('')
      held.set(event.partID, text + event.text)
    } else if (event.type === 'part-discarded') {
      held.delete(event.partID)
      ended.delete(event.partID)
    } else if (event.type === 'part-ended') {
      expect(held.get(event.partID) ?? event.text, 'text shown of a part').toBe(event.text)
      expect(ended.has(event.partID), `second end of ${event.partID}`).toBe(false)
      ended.set(event.partID, event)
    }
  }
  const openText = [...held.keys()].filter((partID) => !ended.has(partID))
  expect(openText, 'parts that never ended').toEqual([])
  const textsOf = (kind: 'text' | 'reasoning'): string[] =>
    [...ended.values()].filter((part) => part.kind === kind).map(({ text }) => text)
  return { texts: textsOf('text'), reasoning: textsOf('reasoning') }
}
