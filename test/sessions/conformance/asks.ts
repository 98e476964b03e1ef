/** What is asked of people. */
import { expect, test } from 'vitest'
import type { Stage } from '../backend-conformance.ts'
import { listen, newTurn, refOf, run } from '../test-turns.ts'

const BASH = '@tool bash {"command":"echo hi","description":"says hi"}'
const BASH_RULE = { permission: 'bash', pattern: '*' } as const

export function conformAsks(stage: Stage): void {
  test('runTurn() tells what it asks, waits for the answer, and goes on with it', async () => {
    const { turn } = await newTurn(stage, `${BASH}\n@say: Done.`, {}, [{ ...BASH_RULE, action: 'ask' }])
    const running = listen(stage.backend, turn)
    const asked = await running.asked()

    expect(asked).toMatchObject({
      always: [expect.any(String)],
      subject: { kind: 'permission', permission: 'bash', patterns: ['echo hi'], questions: [] },
    })
    expect(await stage.other.answerAsk(refOf(asked), { reply: 'once' })).toBe(true)
    expect(await running.outcome).toMatchObject({ status: 'finished', text: 'Done.' })
    const types = running.events.map(({ type }) => type)
    expect(types.filter((type) => type === 'asked')).toHaveLength(1)
    expect(types.indexOf('ask-gone')).toBeGreaterThan(types.indexOf('asked'))
    expect(running.events.find(({ type }) => type === 'tool-finished')).toMatchObject({
      status: 'completed',
    })
    expect(await stage.backend.answerAsk(refOf(asked), { reply: 'once' })).toBe(false)
  })

  test('runTurn() tells the model why somebody said no, and the turn goes on', async () => {
    const { turn } = await newTurn(stage, `${BASH}\n@say: Then not.`, {}, [{ ...BASH_RULE, action: 'ask' }])
    const running = listen(stage.backend, turn)
    await stage.backend.answerAsk(refOf(await running.asked()), { reply: 'reject', message: 'Because.' })

    expect(await running.outcome).toMatchObject({ status: 'finished', text: 'Then not.' })
    expect(running.events.find(({ type }) => type === 'tool-finished')).toMatchObject({
      status: 'error',
      title: expect.stringContaining('Because.'),
    })
  })

  test('runTurn() does what a rule allows and not what it denies, without a question', async () => {
    const allowed = await newTurn(stage, `${BASH}\n@say: Done.`, {}, [
      { ...BASH_RULE, action: 'deny' },
      { ...BASH_RULE, pattern: 'echo *', action: 'allow' },
    ])
    const denied = await newTurn(stage, `${BASH}\n@say: Then not.`, {}, [{ ...BASH_RULE, action: 'deny' }])
    const events = await Promise.all([allowed, denied].map(({ turn }) => run(stage.backend, turn)))

    expect(events.flatMap((one) => one.events.filter(({ type }) => type === 'asked'))).toEqual([])
    expect(events[0]!.events).toContainEqual(
      expect.objectContaining({ type: 'tool-finished', status: 'completed' }),
    )
    expect(events[1]!.outcome).toMatchObject({ status: 'finished', text: 'Then not.' })
  })

  test('runTurn() tells who joins what is asked, and what is not asked any more', async () => {
    const { turn } = await newTurn(stage, `${BASH}\n@say: Done.`, {}, [{ ...BASH_RULE, action: 'ask' }])
    const leaving = new AbortController()
    const first = listen(stage.backend, turn, leaving.signal)
    const { askID } = await first.asked()
    leaving.abort(new Error('leaving'))
    await first.outcome.catch(() => {})
    const second = listen(stage.other, { ...turn, openAsks: [askID, 'per_0'] })
    const asked = await second.asked()
    await second.heard((events) =>
      events.some((event) => event.type === 'ask-gone' && event.askID === 'per_0'),
    )

    expect(asked.askID).toBe(askID)
    await stage.other.answerAsk(refOf(asked), { reply: 'once' })
    expect(await second.outcome).toMatchObject({ status: 'finished', text: 'Done.' })
  })

  test('abort() ends a turn that waits for an answer', async () => {
    const { turn } = await newTurn(stage, `${BASH}\n@say: never`, {}, [{ ...BASH_RULE, action: 'ask' }])
    const running = listen(stage.backend, turn)
    await running.asked()
    await stage.backend.abort(turn)

    expect(await running.outcome).toMatchObject({ status: 'aborted' })
  })
}
