/** Turns that cannot be. */
import { expect, test } from 'vitest'
import type { Stage } from '../backend-conformance.ts'
import { newTurn, run } from '../test-turns.ts'

export function conformFailures(stage: Stage): void {
  test('runTurn() fails when the prompt exceeds the context', async () => {
    const { turn } = await newTurn(stage, '@overflow')
    const { outcome } = await run(stage.backend, turn)
    expect(outcome).toMatchObject({
      status: 'failed',
      error: { code: 'context_overflow', retryable: false },
    })
  })

  test('runTurn() fails on a model and on an agent that nobody knows, and asks no provider', async () => {
    const model = await newTurn(stage, 'hello', { model: 'acme/bigg' })
    const agent = await newTurn(stage, 'hello', { agent: 'nobody' })

    expect((await run(stage.backend, model.turn)).outcome).toMatchObject({
      status: 'failed',
      error: { code: 'unknown_model', retryable: false },
    })
    expect((await run(stage.backend, agent.turn)).outcome).toMatchObject({
      status: 'failed',
      error: { code: 'unknown_agent', retryable: false },
    })
    expect(stage.ledger.entries({ marker: model.marker })).toEqual([])
    expect(stage.ledger.entries({ marker: agent.marker })).toEqual([])
  })

  test('runTurn() fails in a session that nobody knows', async () => {
    const { turn } = await newTurn(stage, 'hello')
    const { outcome } = await run(stage.backend, { ...turn, sessionID: 'ses_unknown' })
    expect(outcome).toMatchObject({
      status: 'failed',
      error: { code: 'outcome_uncertain', retryable: false },
    })
  })
}
