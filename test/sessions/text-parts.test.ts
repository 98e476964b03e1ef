import { describe, expect, test } from 'vitest'
import { createTextParts } from '../../src/sessions/opencode/text-parts.ts'
import type { TextPart } from '../../src/sessions/opencode/wire.ts'
import { readTurn } from './read-turn.ts'

describe('createTextParts()', () => {
  test('holds back the first half of a character until the second comes', () => {
    const parts = createTextParts()
    const shown = [
      ...parts.opened(part(''), 'event'),
      ...parts.grew('prt_1', 'a\ud83d'),
      ...parts.grew('prt_1', '\ude00b'),
      ...parts.ended(part('a😀b', 2)),
    ]
    expect(shown.map((event) => event.type === 'text' && event.text)).toEqual(['a', '😀b', false])
    expect(readTurn(shown).texts).toEqual(['a😀b'])
  })

  test('shows at the end what was held back', () => {
    const parts = createTextParts()
    const shown = [
      ...parts.opened(part(''), 'event'),
      ...parts.grew('prt_1', 'a\ud83d'),
      ...parts.ended(part('a\ud83d', 2)),
    ]
    expect(readTurn(shown).texts).toEqual(['a\ud83d'])
  })

  test('takes back and tells anew what ended otherwise than it was shown', () => {
    const parts = createTextParts()
    const shown = [
      ...parts.opened(part(''), 'event'),
      ...parts.grew('prt_1', 'I think'),
      ...parts.ended(part('I know', 2)),
    ]
    expect(shown.slice(1)).toEqual([
      { type: 'part-discarded', partID: 'prt_1', reason: 'rewrite' },
      { type: 'text', kind: 'text', partID: 'prt_1', offset: 0, text: 'I know' },
      { type: 'part-ended', kind: 'text', partID: 'prt_1', text: 'I know' },
    ])
  })

  test('takes back what is nothing in the end', () => {
    const parts = createTextParts()
    const shown = [
      ...parts.opened(part(''), 'event'),
      ...parts.grew('prt_1', 'gone'),
      ...parts.ended(part('', 2)),
    ]
    expect(readTurn(shown).texts).toEqual([''])
  })

  test('does not show deltas of a part whose beginning it did not see', () => {
    const parts = createTextParts()
    expect([...parts.opened(part(''), 'list'), ...parts.grew('prt_1', 'tail')]).toEqual([])
    expect(parts.announceBlind()).toEqual([{ type: 'part-lagging', partID: 'prt_1' }])
    expect(parts.announceBlind()).toEqual([])
    expect(parts.ended(part('head and tail', 2))).toEqual([
      { type: 'part-ended', kind: 'text', partID: 'prt_1', text: 'head and tail' },
    ])
  })

  test('ends a part once', () => {
    const parts = createTextParts()
    expect(parts.ended(part('all', 2))).toHaveLength(1)
    expect(parts.ended(part('all', 2))).toEqual([])
  })

  test('says nothing of an empty part', () => {
    expect(createTextParts().ended(part('', 2))).toEqual([])
  })

  test('shows a part that begins again after it was given up', () => {
    const parts = createTextParts()
    parts.opened(part(''), 'list')
    const given = parts.discard('retry')
    const shown = [
      ...parts.opened(part(''), 'event'),
      ...parts.grew('prt_1', 'late'),
      ...parts.ended(part('late', 2)),
    ]
    expect(given).toEqual([{ type: 'part-discarded', partID: 'prt_1', reason: 'retry' }])
    expect(shown.map(({ type }) => type)).toEqual(['text', 'part-ended'])
  })

  test('keeps a part that was found just now when an older event gives up what is open', () => {
    const parts = createTextParts()
    parts.opened(part(''), 'list')
    expect(parts.discardHeard('retry')).toEqual([])
    parts.announceBlind()
    expect(parts.discardHeard('retry')).toHaveLength(1)
  })

  test('gives up only the parts of the message that was meant', () => {
    const parts = createTextParts()
    parts.opened(part(''), 'event')
    parts.opened({ ...part(''), id: 'prt_2', messageID: 'msg_2' }, 'event')
    expect(parts.discard('retry', 'msg_2')).toEqual([
      { type: 'part-discarded', partID: 'prt_2', reason: 'retry' },
    ])
  })
})

function part(text: string, end?: number): TextPart {
  const time = end === undefined ? { start: 1 } : { start: 1, end }
  return { type: 'text', id: 'prt_1', messageID: 'msg_1', sessionID: 'ses_1', text, synthetic: false, time }
}
