/** What a turn has cost, also where nobody counts. */
import { expect, test } from 'vitest'
import type { Spending, TurnEvent } from '../../../src/sessions/backend.ts'
import type { Stage } from '../backend-conformance.ts'
import { listen, NEVER, newTurn, run, textsIn } from '../test-turns.ts'

export function conformBills(stage: Stage): void {
  test('runTurn() reports the bill of the provider', async () => {
    const prompt =
      '@say: one @usage:1000,10,400\n@tool bash {"command":"true","description":"x"}\n@usage:2000,20,0'
    const { marker, turn } = await newTurn(stage, prompt)
    const { events, outcome } = await run(stage.backend, turn)
    const billed = stage.ledger.entries({ marker }).reduce((sum, { costMicroUsd }) => sum + costMicroUsd, 0)

    const costs = outcome.spendings.map(({ costMicroUsd }) => costMicroUsd)

    expect(events.flatMap((event) => (event.type === 'step' ? [event.steps] : []))).toEqual([1, 2])
    expect(outcome.spendings).toMatchObject([
      { model: turn.model, usage: { inputTokens: 600, outputTokens: 10, cacheReadTokens: 400 } },
      { model: turn.model, usage: { inputTokens: 2_000, outputTokens: 20, cacheReadTokens: 0 } },
    ])
    expect(outcome.spendings.some(({ isEstimated }) => isEstimated)).toBe(false)
    expect(costs.reduce((sum, cost) => sum + cost, 0)).toBe(billed)
    expect(spentIn(events)).toEqual(outcome.spendings)
    expect(await stage.other.spentOn(turn, NEVER)).toEqual(outcome.spendings)
  })

  test('runTurn() tells what a step cost before it tells of the step', async () => {
    const { turn } = await newTurn(
      stage,
      '@say: one\n@tool bash {"command":"true","description":"x"}\n@say: two',
    )
    const { events } = await run(stage.backend, turn)

    expect(events.filter(({ type }) => type === 'spent' || type === 'step')).toMatchObject([
      { type: 'spent', goesOn: true },
      { type: 'step', goesOn: true, steps: 1 },
      { type: 'spent', goesOn: false },
      { type: 'step', goesOn: false, steps: 2 },
    ])
  })

  test('runTurn() reports what a child was asked, and its steps are none of the turn', async () => {
    const input = { description: 'sub', prompt: '@usage:3000,30,0', subagent_type: 'general' }
    const { turn } = await newTurn(
      stage,
      `@usage:1000,10,0\n@tool task ${JSON.stringify(input)}\n@usage:2000,20,0`,
    )
    const { events, outcome } = await run(stage.backend, turn)

    expect(outcome.steps).toBe(2)
    expect(outcome.spendings.map(({ usage }) => usage.inputTokens).sort()).toEqual([1_000, 2_000, 3_000])
    expect(new Set(spentIn(events))).toEqual(new Set(outcome.spendings))
    expect(await stage.other.spentOn(turn, NEVER)).toHaveLength(3)
  })

  test('abort() leaves an estimate of what nobody counts', async () => {
    const { hold, turn } = await newTurn(stage, '@words:40 @hold:NAME @words:3')
    const running = listen(stage.backend, turn)
    await stage.held(hold)
    await running.heard((events) => textsIn(events) === 40)
    await stage.backend.abort(turn)
    const { spendings } = await running.outcome

    expect(spendings).toMatchObject([{ model: turn.model, costMicroUsd: 0, isEstimated: true }])
    expect(spendings[0]!.usage.inputTokens).toBeGreaterThan(0)
    expect(spendings[0]!.usage.outputTokens).toBeGreaterThan(40)
    expect(await stage.other.spentOn(turn, NEVER)).toEqual(spendings)
  })

  test('runTurn() estimates what a dropped connection had begun, and nothing for a refusal', async () => {
    const dropped = await newTurn(stage, '@words:3 @hold:NAME @drop:1')
    const refused = await newTurn(stage, '@status:503,1 @say: Done')
    const running = listen(stage.backend, dropped.turn)
    await running.heard((events) => textsIn(events) === 3)
    stage.release(dropped.hold)
    const { spendings } = await running.outcome

    expect(spendings.map(({ isEstimated }) => isEstimated).sort()).toEqual([false, true])
    expect(new Set(spendings.map(({ id }) => id)).size).toBe(2)
    expect((await run(stage.backend, refused.turn)).outcome.spendings).toMatchObject([{ isEstimated: false }])
  })

  test('spentOn() knows nothing of a turn that was never sent', async () => {
    const { turn } = await newTurn(stage, 'never')
    expect(await stage.other.spentOn(turn, NEVER)).toEqual([])
    expect(await stage.other.spentOn({ ...turn, sessionID: 'ses_unknown' }, NEVER)).toEqual([])
  })
}

/** What was told in all, each as it was told last. */
function spentIn(events: readonly TurnEvent[]): Spending[] {
  const told = events.flatMap((event) => (event.type === 'spent' ? event.spendings : []))
  return [...new Map(told.map((spending) => [spending.id, spending])).values()]
}
