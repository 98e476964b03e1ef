import { describe, expect, test } from 'vitest'
import { createMemoryBackend } from '../doubles/memory-backend.ts'
import { describeConformance } from './backend-conformance.ts'
import { readTurn } from './read-turn.ts'
import { listen, newSession, run, textsIn, turnOf } from './test-turns.ts'

describeConformance('the backend in memory', async () => {
  const backend = createMemoryBackend()
  const { ledger, holds } = backend
  return { backend, other: backend, ledger, ...holds, close: () => backend.close() }
})

describe('createMemoryBackend()', () => {
  test('loses turns, and goes on with them where they were when asked again', async () => {
    const backend = createMemoryBackend()
    const call = '@tool bash {"command":"ls"}'
    const turn = turnOf(await newSession(backend), `@say: Kept.\n${call}\n@words:2 @hold:lost @words:1`)
    const running = listen(backend, turn)
    await running.heard((events) => textsIn(events) === 3)
    backend.loseTurns()
    await backend.holds.held('lost', 2)
    backend.holds.release('lost')

    expect(await running.outcome).toMatchObject({ status: 'finished', steps: 2 })
    expect(running.events.filter(({ type }) => type === 'turn-resumed')).toHaveLength(1)
    expect(readTurn(running.events).texts).toEqual(['Kept.', 'the1 quick2 brown3'])
    expect(backend.ledger.entries().map(({ step }) => step)).toEqual([0, 1, 1])
  })

  test('is away until it is back', async () => {
    const backend = createMemoryBackend({ text: 'Fine.' })
    const turn = turnOf(await newSession(backend), 'how are you')
    backend.setAway(true)
    await expect(backend.check()).rejects.toMatchObject({ code: 'opencode_unavailable' })
    await expect(run(backend, turn)).rejects.toMatchObject({ code: 'opencode_unavailable' })
    backend.setAway(false)
    expect((await run(backend, turn)).outcome).toMatchObject({ text: 'Fine.' })
  })

  test('remembers what it was asked to do', async () => {
    const backend = createMemoryBackend()
    const turn = turnOf(await newSession(backend), 'hello')
    await run(backend, turn)
    await backend.abort(turn)

    expect(backend.sessions).toMatchObject([{ sessionID: turn.sessionID, messageIDs: [turn.messageID] }])
    expect(backend.turns).toEqual([turn])
    expect(backend.aborts).toEqual([turn.sessionID])
  })
})
