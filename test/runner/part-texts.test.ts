import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JournalEvent } from '../../src/runner/journal.ts'
import {
  discardAll,
  discardOpen,
  entriesFor,
  type PartTexts,
  partsInLog,
} from '../../src/runner/part-texts.ts'
import type { TurnEvent } from '../../src/sessions/backend.ts'
import type { TaskEvent } from '../../src/tasks/event.ts'

type PartEvent = Extract<TurnEvent, { partID: string }>

test('text whose beginning was trimmed from the log fits at its end, wherever it comes from until then', () => {
  const before = ['abab', 'ab'].map((content, index) => ({
    ...delta(4 + 4 * index, content),
    seq: index + 9,
    at: 1,
    attempt: 1,
  }))
  const parts = partsInLog(before as TaskEvent[], 'msg_1')
  const whole = 'ab'.repeat(8)

  expect(entriesFor(parts, text(0, 'ab'.repeat(6)), 'msg_1')).toEqual([])
  expect(entriesFor(parts, ended(whole), 'msg_1')).toMatchObject([
    { type: 'text-discarded', reason: 'rewrite' },
    { type: 'text-delta', offset: 0, text: whole },
    { type: 'text-ended', length: 16 },
  ])
})

describe('entriesFor()', () => {
  test('passes on what comes from the start', () => {
    const { tell, log } = given()
    tell(text(0, 'Hel'), text(3, 'lo'), ended('Hello'))

    expect(log).toMatchObject([
      { type: 'text-delta', offset: 0, text: 'Hel' },
      { type: 'text-delta', offset: 3, text: 'lo' },
      { type: 'text-ended', length: 5 },
    ])
  })

  test('repeats nothing of what the log holds', () => {
    const { tell, log } = given([text(0, 'Hello')])
    tell(text(0, 'Hel'), text(3, 'lo wo'), text(8, 'rld'), ended('Hello world'))

    expect(log).toMatchObject([
      { type: 'text-delta', offset: 5, text: ' wo' },
      { type: 'text-delta', offset: 8, text: 'rld' },
      { type: 'text-ended', length: 11 },
    ])
  })

  test('says that a blind part lags, and gives its rest at its end', () => {
    const { tell, log } = given([text(0, 'Hello')])
    tell({ type: 'part-lagging', partID: 'prt_1' }, ended('Hello world'))

    expect(log).toMatchObject([
      { type: 'stream-lagging', partID: 'prt_1' },
      { type: 'text-delta', offset: 5, text: ' world' },
      { type: 'text-ended', length: 11 },
    ])
  })

  test('leaves a gap to the end of the part', () => {
    const { tell, log } = given([text(0, 'ab')])
    tell(text(4, 'ef'), ended('abcdef'))

    expect(log).toMatchObject([
      { type: 'text-delta', offset: 2, text: 'cdef' },
      { type: 'text-ended', length: 6 },
    ])
  })

  test('withdraws what ended otherwise than it was shown, and tells it anew', () => {
    const { tell, log } = given([text(0, 'Helo')])
    tell(ended('Hello'))

    expect(log).toMatchObject([
      { type: 'text-discarded', reason: 'rewrite' },
      { type: 'text-delta', offset: 0, text: 'Hello' },
      { type: 'text-ended', length: 5 },
    ])
  })

  test('says nothing of a part that ended as the log has it', () => {
    const { tell, log } = given([text(0, 'Hello'), ended('Hello')])
    tell({ type: 'part-lagging', partID: 'prt_1' }, text(0, 'Hello'), ended('Hello'))

    expect(log).toEqual([])
  })

  test('discards only what was shown', () => {
    const { tell, log } = given([text(0, 'Hello')])
    const discarded = (partID: string): PartEvent => ({ type: 'part-discarded', partID, reason: 'resume' })
    tell(discarded('prt_2'), discarded('prt_1'), discarded('prt_1'))

    expect(log).toMatchObject([{ type: 'text-discarded', partID: 'prt_1', reason: 'resume' }])
  })

  test('tells a part anew that was discarded', () => {
    const { tell, log } = given([text(0, 'Hello'), ended('Hello')])
    tell({ type: 'part-discarded', partID: 'prt_1', reason: 'rewrite' }, text(0, 'Bye'), ended('Bye'))

    expect(log).toMatchObject([
      { type: 'text-discarded', reason: 'rewrite' },
      { type: 'text-delta', offset: 0, text: 'Bye' },
      { type: 'text-ended', length: 3 },
    ])
  })

  test('keeps reasoning apart', () => {
    const { tell, log } = given()
    tell({ ...text(0, 'hmm'), kind: 'reasoning' }, { ...ended('hmm'), kind: 'reasoning' })

    expect(log).toMatchObject([{ type: 'reasoning-delta', text: 'hmm' }, { type: 'text-ended' }])
  })

  test('says nothing of an empty part', () => {
    const { tell, log } = given()
    tell(ended(''))

    expect(log).toEqual([])
  })
})

describe('partsInLog()', () => {
  test('reads one message only', () => {
    const log = [delta(0, 'a'), { ...delta(0, 'b'), messageID: 'msg_2' }] as TaskEvent[]

    expect(partsInLog(log, 'msg_2')).toEqual(new Map([['prt_1', { text: 'b', ended: false }]]))
  })

  test.for([
    ['its head', [delta(3, 'lo')]],
    ['all of its text', []],
  ] as const)('a part of which the log has lost %s is not told again', ([, left]) => {
    const log = [
      ...left,
      { type: 'text-ended', messageID: 'msg_1', partID: 'prt_1', length: 5 },
    ] as TaskEvent[]
    const parts = partsInLog(log, 'msg_1')

    expect(entriesFor(parts, ended('Hello'), 'msg_1')).toEqual([])
    expect(discardAll(parts, 'msg_1')).toMatchObject([{ type: 'text-discarded', partID: 'prt_1' }])
  })

  test('an open part of which the log has lost the head is told anew at its end', () => {
    const parts = partsInLog([delta(3, 'lo')] as TaskEvent[], 'msg_1')

    expect(entriesFor(parts, ended('Hello world'), 'msg_1')).toMatchObject([
      { type: 'text-discarded', reason: 'rewrite' },
      { type: 'text-delta', offset: 0, text: 'Hello world' },
      { type: 'text-ended', length: 11 },
    ])
  })
})

test('discardOpen() withdraws what was shown and did not end', () => {
  const { parts } = given([text(0, 'a'), ended('a'), { ...text(0, 'b'), partID: 'prt_2' }])

  expect(discardOpen(parts, 'msg_1')).toMatchObject([{ partID: 'prt_2', reason: 'resume' }])
  expect(discardOpen(parts, 'msg_1')).toEqual([])
})

test('discardAll() withdraws everything, for a new try', () => {
  const { parts } = given([text(0, 'a'), ended('a'), { ...text(0, 'b'), partID: 'prt_2' }])

  expect(discardAll(parts, 'msg_1')).toMatchObject([
    { partID: 'prt_1', reason: 'retry' },
    { partID: 'prt_2', reason: 'retry' },
  ])
  expect(parts.size).toBe(0)
})

// Units of all sorts, halves of characters too: a delta may end between the two.
const answer = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'é', '😀', '\n'), maxLength: 30 })
const turn = fc.array(
  fc.record({
    text: answer,
    // A try of the provider that broke off before this part, with what it had said.
    dropped: fc.option(answer, { nil: undefined, freq: 4 }),
    cuts: fc.array(fc.nat(30), { maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 4 },
)
// At which events of the turn the worker dies, how many entries it takes with it, and who comes after:
// `blind` has not seen the open part's start; the other has, and tells all of it again.
const deaths = fc.array(fc.record({ at: fc.nat(20), lost: fc.nat(3), blind: fc.boolean() }), { maxLength: 5 })

test('whoever dies when, a reader of the log holds exactly the answer', () => {
  fc.assert(
    fc.property(turn, deaths, (given, plan) => {
      const told = given.flatMap((part, index) => eventsOf(part, `prt_${index}`))
      const log: TaskEvent[] = []
      let parts: PartTexts = new Map()
      let unwritten: TaskEvent[] = []
      const tell = (event: PartEvent) => {
        unwritten.push(...(entriesFor(parts, event, 'msg_1') as TaskEvent[]))
      }
      let blind = new Set<string>()
      for (const [position, event] of told.entries()) {
        const death = plan.find(({ at }) => at === position)
        if (death !== undefined) {
          log.push(...unwritten.slice(0, Math.max(0, unwritten.length - death.lost)))
          unwritten = []
          parts = partsInLog(log, 'msg_1')
          blind = takeOver(told.slice(0, position), death.blind, tell)
        }
        if (event.type !== 'text' || !blind.has(event.partID)) tell(event)
      }
      log.push(...unwritten, ...(discardOpen(parts, 'msg_1') as TaskEvent[]))

      const texts = [...readLog(log).values()].filter((text) => text !== '')
      // The answer never changed, so taking any of it back would hide a repeat or a gap.
      expect(log.filter((event) => 'reason' in event && event.reason === 'rewrite')).toEqual([])
      expect(texts).toEqual(given.map(({ text }) => text).filter((text) => text !== ''))
    }),
    { numRuns: 1_000 },
  )
})

/** What a backend tells of a part, cut where `cuts` say. */
function eventsOf(
  part: { text: string; dropped: string | undefined; cuts: number[] },
  id: string,
): PartEvent[] {
  const pieces = (whole: string, partID: string): PartEvent[] => {
    const at = [...new Set([0, ...part.cuts.filter((cut) => cut < whole.length), whole.length])].sort(
      (a, b) => a - b,
    )
    return at.slice(1).map((to, index) => ({ ...text(at[index]!, whole.slice(at[index], to)), partID }))
  }
  const dropped = `${id}_dropped`
  return [
    ...(part.dropped === undefined
      ? []
      : [
          ...pieces(part.dropped, dropped),
          { type: 'part-discarded', partID: dropped, reason: 'retry' } as const,
        ]),
    ...pieces(part.text, id),
    { ...ended(part.text), partID: id },
  ]
}

/** What a backend tells who joins late; gives the parts that stay without text until their end. */
function takeOver(
  past: readonly PartEvent[],
  isBlind: boolean,
  tell: (event: PartEvent) => void,
): Set<string> {
  const open = new Map<string, string>()
  for (const event of past) {
    if (event.type === 'text') open.set(event.partID, (open.get(event.partID) ?? '') + event.text)
    else open.delete(event.partID)
    if (event.type === 'part-ended' || event.type === 'part-discarded') tell(event)
  }
  for (const [partID, shown] of open)
    tell(isBlind ? { type: 'part-lagging', partID } : { ...text(0, shown), partID })
  return new Set(isBlind ? open.keys() : [])
}

/** As a client reads: it puts the text together by part, and never sees a gap or a repeat. */
function readLog(log: readonly TaskEvent[]): Map<string, string> {
  const texts = new Map<string, string>()
  for (const event of log) {
    if (event.type === 'text-delta') {
      const held = texts.get(event.partID) ?? ''
      expect(event.offset).toBe(held.length)
      texts.set(event.partID, held + event.text)
    } else if (event.type === 'text-discarded') texts.delete(event.partID)
    else if (event.type === 'text-ended') expect(texts.get(event.partID)).toHaveLength(event.length)
  }
  return texts
}

/** A turn whose log holds what `before` told. */
function given(before: readonly PartEvent[] = []) {
  const parts: PartTexts = new Map()
  for (const event of before) entriesFor(parts, event, 'msg_1')
  const log: JournalEvent[] = []
  return {
    parts,
    log,
    tell: (...events: PartEvent[]) => {
      for (const event of events) log.push(...entriesFor(parts, event, 'msg_1'))
    },
  }
}

function text(offset: number, content: string): Extract<PartEvent, { type: 'text' }> {
  return { type: 'text', kind: 'text', partID: 'prt_1', offset, text: content }
}

function ended(content: string): Extract<PartEvent, { type: 'part-ended' }> {
  return { type: 'part-ended', kind: 'text', partID: 'prt_1', text: content }
}

function delta(offset: number, content: string) {
  return { type: 'text-delta', messageID: 'msg_1', partID: 'prt_1', offset, text: content }
}
