/** What a turn tells, and that it is paid once. */
import { expect, test } from 'vitest'
import type { Stage } from '../backend-conformance.ts'
import { readTurn } from '../read-turn.ts'
import { listen, newTurn, next, run, textsIn } from '../test-turns.ts'

export function conformTurns(stage: Stage): void {
  test('runTurn() streams the answer of the model that was asked', async () => {
    const { marker, turn } = await newTurn(stage, '@say: Hello there, friend', { model: 'globex/fast' })
    const { events, outcome } = await run(stage.backend, turn)

    expect(events.filter(({ type }) => type === 'text').length).toBeGreaterThan(1)
    expect(readTurn(events).texts).toEqual(['Hello there, friend'])
    expect(outcome).toMatchObject({
      status: 'finished',
      finish: 'stop',
      text: 'Hello there, friend',
      model: 'globex/fast',
      steps: 1,
    })
    expect(stage.ledger.entries({ marker })).toMatchObject([{ model: 'globex/fast', streamedToEnd: true }])
  })

  test('runTurn() uses a model for one message only', async () => {
    const { marker, turn } = await newTurn(stage, 'first')
    await run(stage.backend, turn)
    await run(stage.backend, next(turn, `second #${marker}`, { model: 'acme/big' }))
    await run(stage.backend, next(turn, `third #${marker}`))

    const models = stage.ledger.entries({ marker }).map(({ model }) => model)
    expect(models).toEqual(['acme/mini', 'acme/big', 'acme/mini'])
  })

  test('runTurn() tells tool calls, and the text around them part by part', async () => {
    const call = '@tool bash {"command":"echo hi","description":"says hi"}'
    const { turn } = await newTurn(stage, `@say: Let me look.\n${call}\n@say: It says hi.`)
    const { events, outcome } = await run(stage.backend, turn)
    const called = events.find((event) => event.type === 'tool-called')

    expect(called).toMatchObject({ tool: 'bash', input: { command: 'echo hi', description: 'says hi' } })
    expect(events.filter(({ type }) => type === 'tool-called')).toHaveLength(1)
    expect(events.filter(({ type }) => type === 'tool-finished')).toEqual([
      { type: 'tool-finished', callID: called?.callID, status: 'completed', title: expect.any(String) },
    ])
    expect(readTurn(events).texts).toEqual(['Let me look.', 'It says hi.'])
    expect(outcome).toMatchObject({ status: 'finished', text: 'Let me look.\n\nIt says hi.', steps: 2 })
  })

  test('runTurn() keeps reasoning out of the text', async () => {
    const { turn } = await newTurn(stage, '@reasoning:3 @say: Forty-two')
    const { events, outcome } = await run(stage.backend, turn)

    expect(readTurn(events)).toEqual({ texts: ['Forty-two'], reasoning: ['the1 quick2 brown3'] })
    expect(outcome).toMatchObject({ status: 'finished', text: 'Forty-two' })
  })

  test('runTurn() never shows half a character', async () => {
    const text = 'ab😀cd👩‍👩‍👧 é 𝒳'
    const { turn } = await newTurn(stage, `@units:1 @say: ${text}`)
    const { events } = await run(stage.backend, turn)

    expect(readTurn(events).texts).toEqual([text])
    for (const event of events) if (event.type === 'text') expect(event.text.isWellFormed()).toBe(true)
  })

  test('runTurn() takes back what a dropped connection began', async () => {
    const { marker, turn } = await newTurn(stage, '@words:4 @delay:100 @drop:1')
    const { events, outcome } = await run(stage.backend, turn)

    expect(events.filter(({ type }) => type === 'provider-retry')).toHaveLength(1)
    expect(readTurn(events).texts).toEqual(['the1 quick2 brown3 fox4'])
    expect(outcome).toMatchObject({ status: 'finished', text: 'the1 quick2 brown3 fox4' })
    expect(stage.ledger.paid({ marker })).toHaveLength(1)
  })

  test('runTurn() joins a running turn: paid once, told the same in the end', async () => {
    const { hold, marker, turn } = await newTurn(stage, '@words:3 @hold:NAME @words:3')
    const first = listen(stage.backend, turn)
    await first.heard((events) => textsIn(events) === 3)
    const second = listen(stage.other, turn)
    // Who joins may hear of the beginning late enough to see all of it.
    await second.heard(
      (events) => events.some(({ type }) => type === 'part-lagging') || textsIn(events) === 3,
    )
    stage.release(hold)
    const text = 'the1 quick2 brown3 fox4 jumps5 over6'

    expect(await first.outcome).toEqual(await second.outcome)
    expect(readTurn(first.events).texts).toEqual([text])
    expect(readTurn(second.events).texts).toEqual([text])
    expect(second.events.filter(({ type }) => type === 'part-discarded')).toEqual([])
    expect(stage.ledger.entries({ marker })).toHaveLength(1)
  })

  test('runTurn() started twice at once pays once', async () => {
    const { marker, turn } = await newTurn(stage, '@words:5')
    const [one, two] = await Promise.all([run(stage.backend, turn), run(stage.other, turn)])

    expect(one.outcome).toEqual(two.outcome)
    expect(readTurn(one.events).texts).toEqual(readTurn(two.events).texts)
    expect(stage.ledger.entries({ marker })).toHaveLength(1)
  })

  test('runTurn() reads a finished turn and pays nothing', async () => {
    const call = '@tool bash {"command":"true","description":"x"}'
    const { marker, turn } = await newTurn(stage, `@reasoning:2 @say: Look\n${call}\n@say: Seen`)
    const first = await run(stage.backend, turn)
    const paid = stage.ledger.entries({ marker }).length
    const again = await run(stage.other, turn)

    expect(again.outcome).toEqual(first.outcome)
    expect(readTurn(again.events)).toEqual(readTurn(first.events))
    expect(again.events.filter(({ type }) => type === 'tool-finished')).toHaveLength(1)
    expect(stage.ledger.entries({ marker })).toHaveLength(paid)
  })
}
