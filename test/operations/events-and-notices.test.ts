import { expect, test } from 'vitest'
import { eventsAndNotices } from '../../src/operations/sessions/events-and-notices.ts'
import { createMemoryBackend } from '../doubles/memory-backend.ts'

const NEVER = new AbortController().signal
const notices = { listen: async () => () => {}, withdraw: () => {} }

test('a reader that takes nothing any more does not fill the memory: its stream ends', async () => {
  const letGo = Promise.withResolvers<void>()
  let told = 0
  const backend = {
    ...createMemoryBackend(),
    async *events(_: unknown, signal: AbortSignal) {
      try {
        for (; !signal.aborted; told += 1) yield { id: `evt_${told}` }
        // As a request does that is let go of.
        signal.throwIfAborted()
      } finally {
        letGo.resolve()
      }
    },
  }

  const events = eventsAndNotices(notices, [backend], { directory: undefined }, NEVER)
  await events.next()
  await letGo.promise

  let taken = 1
  for await (const _ of events) taken += 1
  expect(taken).toBeGreaterThan(1_000)
  expect(taken).toBeLessThanOrEqual(told)
  expect(told).toBeLessThan(20_000)
})
