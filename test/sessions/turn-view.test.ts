import { describe, expect, test } from 'vitest'
import { createTurnView, type TurnView } from '../../src/sessions/opencode/turn-view.ts'
import type { WireMessage } from '../../src/sessions/opencode/wire.ts'
import { type Fixture, loadFixture } from './fixture.ts'
import { readTurn } from './read-turn.ts'

const LIVE = ['plain', 'streaming', 'tool', 'provider-drop', 'aborted', 'malformed', 'compaction', 'overflow']

describe('a turn heard from its beginning', () => {
  test.each(LIVE)('shows the text that the messages hold at the end: %s', (name) => {
    const fixture = loadFixture(name)
    const view = viewOf(fixture)
    const heard = fixture.events.flatMap((event) => view.event(event))
    const read = viewOf(fixture).list(fixture.list('end').messages)

    expect(readTurn(heard).texts).toEqual(readTurn(read).texts)
    expect(readTurn(heard).texts.length).toBeGreaterThan(0)
    expect(view.list(fixture.list('end').messages).filter(({ type }) => type !== 'part-discarded')).toEqual(
      [],
    )
  })

  test('shows text as it comes', () => {
    const fixture = loadFixture('streaming')
    const view = viewOf(fixture)
    const { afterEvents } = fixture.list('open')
    const heard = fixture.events.slice(0, afterEvents).flatMap((event) => view.event(event))

    expect(heard.map((event) => event.type === 'text' && event.text)).toEqual(['the1', ' quick2', ' brown3'])
  })

  test('tells a tool once when it runs and once when it is done', () => {
    const { events } = loadFixture('tool')
    const view = viewOf(loadFixture('tool'))
    const told = events.flatMap((event) => view.event(event)).filter(({ type }) => type.startsWith('tool-'))

    expect(told).toEqual([
      {
        type: 'tool-called',
        callID: expect.any(String),
        tool: 'bash',
        input: expect.objectContaining({ command: 'echo hi' }),
      },
      { type: 'tool-finished', callID: expect.any(String), status: 'completed', title: 'echo hi' },
    ])
  })

  test('does not show the summary of a compaction', () => {
    const fixture = loadFixture('compaction')
    const view = viewOf(fixture)
    const heard = fixture.events.flatMap((event) => view.event(event))
    expect(readTurn(heard).texts.join()).not.toContain('Summary')
    expect(readTurn(viewOf(fixture).list(fixture.list('end').messages)).texts.join()).not.toContain('Summary')
  })

  test('counts each step once and sums them up, compactions included', () => {
    const fixture = loadFixture('compaction')
    const view = viewOf(fixture)
    const told = fixture.events.flatMap((event) => view.event(event))
    const spendings = told.flatMap((event) => (event.type === 'spent' ? event.spendings : []))
    const cost = fixture
      .list('end')
      .messages.reduce((sum, { info }) => sum + (info.role === 'assistant' ? info.cost : 0), 0)

    expect(told.flatMap((event) => (event.type === 'step' ? [event.steps] : []))).toEqual([1, 2, 3])
    expect(new Set(spendings.map(({ id }) => id)).size).toBe(3)
    expect(spendings.reduce((sum, { costMicroUsd }) => sum + costMicroUsd, 0)).toBe(
      Math.round(cost * 1_000_000),
    )
    expect(view.spendings()).toEqual(spendings)
    expect(view.tally()).toMatchObject({ model: 'globex/tiny', steps: 3 })
  })

  test('takes back what a dropped connection began', () => {
    const fixture = loadFixture('provider-drop')
    const view = viewOf(fixture)
    const retry = fixture.events.findIndex(
      (event) => event.type === 'status' && event.status.type === 'retry',
    )
    const events = fixture.events.slice(0, retry + 1).flatMap((event) => view.event(event))
    const rest = fixture.events.slice(retry + 1).flatMap((event) => view.event(event))

    expect(events.slice(-2).map(({ type }) => type)).toEqual(['provider-retry', 'part-discarded'])
    expect(rest.map(({ type }) => type)).not.toContain('part-discarded')
  })
})

describe('a turn joined in the middle', () => {
  // Wherever the connection breaks; what was heard before the list was read is told again after it.
  test.each(LIVE)('holds the same text in the end: %s', (name) => {
    const fixture = loadFixture(name)
    const { messages } = fixture.list('end')
    const whole = readTurn(viewOf(fixture).list(messages)).texts
    for (let cut = 0; cut <= fixture.events.length; cut += 1) {
      const view = viewOf(fixture)
      const before = fixture.events.slice(0, cut).flatMap((event) => view.event(event))
      view.disconnected()
      const read = [...view.list(messages), ...view.settled()]
      const after = fixture.events.slice(cut).flatMap((event) => view.event(event))
      expect(readTurn([...before, ...read, ...after]).texts).toEqual(whole)
    }
  })

  test('does not show an open part, says so, and tells all of it at its end', () => {
    const fixture = loadFixture('streaming')
    const { messages, afterEvents } = fixture.list('open')
    const view = viewOf(fixture)
    const joined = [...view.list(messages), ...view.settled()]
    const rest = fixture.events.slice(afterEvents).flatMap((event) => view.event(event))

    expect(joined.map(({ type }) => type)).toEqual(['part-lagging'])
    expect(rest.filter(({ type }) => type === 'text')).toEqual([])
    expect(readTurn(rest).texts).toEqual(['the1 quick2 brown3 fox4 jumps5'])
  })

  test('shows a part live whose beginning was heard while the list was on its way', () => {
    const fixture = loadFixture('streaming')
    const view = viewOf(fixture)
    const events = [
      ...view.list(fixture.list('open').messages),
      ...fixture.events.flatMap((event) => view.event(event)),
      ...view.settled(),
    ]
    expect(events.filter(({ type }) => type === 'part-lagging')).toEqual([])
    expect(events.filter(({ type }) => type === 'text')).toHaveLength(5)
  })

  test('gives the rest of a part that was shown in part when the connection broke', () => {
    const fixture = loadFixture('streaming')
    const { afterEvents } = fixture.list('open')
    const view = viewOf(fixture)
    const before = fixture.events.slice(0, afterEvents).flatMap((event) => view.event(event))
    view.disconnected()
    const after = view.list(fixture.list('end').messages)

    expect(after[0]).toMatchObject({
      type: 'text',
      offset: 'the1 quick2 brown3'.length,
      text: ' fox4 jumps5',
    })
    expect(readTurn([...before, ...after]).texts).toEqual(['the1 quick2 brown3 fox4 jumps5'])
  })

  test('shows nothing more of a part that was shown in part when deltas were missed', () => {
    const fixture = loadFixture('streaming')
    const { messages, afterEvents } = fixture.list('open')
    const view = viewOf(fixture)
    const before = fixture.events.slice(0, afterEvents).flatMap((event) => view.event(event))
    view.disconnected()
    const joined = [...view.list(messages), ...view.settled()]
    const rest = fixture.events.slice(afterEvents + 1).flatMap((event) => view.event(event))

    expect(joined).toEqual([{ type: 'part-lagging', partID: expect.any(String) }])
    expect(rest.filter(({ type }) => type === 'text')).toHaveLength(1)
    expect(readTurn([...before, ...joined, ...rest]).texts).toEqual(['the1 quick2 brown3 fox4 jumps5'])
  })

  test('gives up a part from before the last try, while that runs', () => {
    const fixture = loadFixture('provider-drop')
    const [user, answer] = fixture.list('end').messages as [WireMessage, WireMessage]
    const second = answer.parts.findLastIndex(({ type }) => type === 'step-start')
    const info = { ...answer.info, finish: undefined, time: { created: 1 } } as WireMessage['info']
    const events = viewOf(fixture).list([user, { info, parts: answer.parts.slice(0, second + 1) }])

    expect(events.filter(({ type }) => type === 'part-discarded')).toHaveLength(1)
  })

  test('gives up a part of an answer that was begun anew', () => {
    const fixture = loadFixture('killed')
    const events = viewOf(fixture).list(fixture.list('end').messages)
    expect(events.filter(({ type }) => type === 'part-discarded')).toEqual([
      { type: 'part-discarded', partID: expect.any(String), reason: 'resume' },
    ])
  })

  test('takes back a part that the server lost', () => {
    const fixture = loadFixture('killed')
    const { messages, afterEvents } = fixture.list('dead')
    const view = viewOf(fixture)
    const before = fixture.events.slice(0, afterEvents).flatMap((event) => view.event(event))
    view.disconnected()
    const lost = [...view.list(messages), ...view.lost()]

    expect(lost).toEqual([{ type: 'part-discarded', partID: expect.any(String), reason: 'resume' }])
    const after = fixture.events.slice(afterEvents).flatMap((event) => view.event(event))
    expect(readTurn([...before, ...lost, ...after]).texts).toEqual([
      'Kept.',
      'the1 quick2 brown3 fox4 jumps5',
    ])
  })

  test('takes back for a predecessor what the list shows as given up', () => {
    const fixture = loadFixture('provider-drop')
    const discarded = viewOf(fixture)
      .list(fixture.list('end').messages)
      .filter(({ type }) => type === 'part-discarded')
    expect(discarded).toHaveLength(1)
  })
})

function viewOf({ messageID }: Fixture): TurnView {
  return createTurnView({ messageID, model: 'acme/mini' })
}
