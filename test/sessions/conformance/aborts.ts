/** Turns that are ended, or only listened to. */
import { expect, test } from 'vitest'
import type { Stage } from '../backend-conformance.ts'
import { readTurn } from '../read-turn.ts'
import { listen, NEVER, newSession, newTurn, next, run, textsIn } from '../test-turns.ts'

export function conformAborts(stage: Stage): void {
  test('abort() ends a turn that streams; asked again, it stays so and pays nothing', async () => {
    const { hold, marker, turn } = await newTurn(stage, '@words:3 @hold:NAME @words:3')
    const running = listen(stage.backend, turn)
    await stage.held(hold)
    await running.heard((events) => textsIn(events) === 3)
    await stage.backend.abort(turn)

    expect(await running.outcome).toMatchObject({ status: 'aborted', steps: 0 })
    expect(readTurn(running.events).texts).toEqual(['the1 quick2 brown3'])
    stage.release(hold)
    expect((await run(stage.other, turn)).outcome).toMatchObject({ status: 'aborted' })
    expect(stage.ledger.entries({ marker })).toHaveLength(1)
    expect(stage.ledger.paid({ marker })).toEqual([])
  })

  test('abort() leaves the session fit for another turn', async () => {
    const { hold, turn } = await newTurn(stage, '@hold:NAME')
    const running = listen(stage.backend, turn)
    await stage.held(hold)
    await stage.backend.abort(turn)
    await running.outcome
    const { outcome } = await run(stage.backend, next(turn, '@say: Still here'))

    expect(outcome).toMatchObject({ status: 'finished', text: 'Still here' })
  })

  test('running() knows the turn that runs, and no other', async () => {
    const { hold, turn } = await newTurn(stage, '@words:2 @hold:NAME')
    const idle = (await newTurn(stage, 'hello')).turn
    const first = { ...turn, messageID: `${turn.messageID}0` }
    await run(stage.backend, { ...first, parts: next(turn, 'first').parts })
    const running = listen(stage.backend, turn)
    await stage.held(hold)

    expect(await stage.other.running([first, turn, idle])).toEqual([turn])
    await stage.backend.abort(turn)
    await running.outcome
    await expect.poll(() => stage.other.running([first, turn, idle])).toEqual([])
  })

  test('abort() is safe on an idle and on an unknown session', async () => {
    const sessionID = await newSession(stage.backend)
    await stage.backend.abort({ sessionID, directory: undefined })
    await stage.backend.abort({ sessionID: 'ses_unknown', directory: undefined })
  })

  test.each([
    [401, 'provider_auth'],
    [400, 'provider_error'],
  ])('runTurn() fails for good on %d, and pays nothing when asked again', async (httpStatus, code) => {
    const { marker, turn } = await newTurn(stage, `@status:${httpStatus}`)
    const { outcome } = await run(stage.backend, turn)
    const error = { code, retryable: false, httpStatus, message: expect.stringMatching(/./) }

    expect(outcome).toMatchObject({ status: 'failed', error, spendings: [] })
    expect((await run(stage.other, turn)).outcome).toEqual(outcome)
    expect(stage.ledger.entries({ marker })).toHaveLength(1)
  })

  test('runTurn() stops listening when its signal aborts, and the turn goes on', async () => {
    const { hold, marker, turn } = await newTurn(stage, '@words:2 @hold:NAME @words:2')
    const leaving = new AbortController()
    const running = listen(stage.backend, turn, leaving.signal)
    await stage.held(hold)
    leaving.abort(new Error('leaving'))

    await expect(running.outcome).rejects.toThrow('leaving')
    stage.release(hold)
    const { outcome } = await run(stage.backend, turn)
    expect(outcome).toMatchObject({ status: 'finished', text: 'the1 quick2 brown3 fox4' })
    expect(stage.ledger.entries({ marker })).toHaveLength(1)
  })

  test('runTurn() refuses to begin with a signal that is aborted', async () => {
    const { marker, turn } = await newTurn(stage, 'hello')
    await expect(run(stage.backend, turn, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
    expect(stage.ledger.entries({ marker })).toEqual([])
  })

  test('runTurn() aborts nothing when its reader leaves', async () => {
    const { hold, turn } = await newTurn(stage, '@words:2 @hold:NAME @words:2')
    for await (const { type } of stage.backend.runTurn(turn, NEVER)) if (type === 'text') break
    stage.release(hold)
    const { outcome } = await run(stage.backend, turn)
    expect(outcome).toMatchObject({ status: 'finished', text: 'the1 quick2 brown3 fox4' })
  })
}
