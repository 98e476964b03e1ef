import { describe, expect, test } from 'vitest'
import { createInbox } from '../../src/stream/inbox.ts'
import type { TaskEvent } from '../../src/tasks/event.ts'

const never = new AbortController().signal

describe('createInbox()', () => {
  test('gives batches in order, at once or when they come', async () => {
    const inbox = createInbox(never)
    inbox.put(batch(1))
    inbox.put(batch(2))

    expect(await inbox.take()).toEqual(batch(1))
    expect(await inbox.take()).toEqual(batch(2))
    const third = inbox.take()
    inbox.put(batch(3))
    expect(await third).toEqual(batch(3))
  })

  test('forgets what it holds when something may be missing: the log has it', async () => {
    const inbox = createInbox(never)
    inbox.put(batch(1))
    inbox.put(undefined)
    inbox.put(batch(3))

    expect(await inbox.take()).toBeUndefined()
    inbox.put(batch(4))
    expect(await inbox.take()).toEqual(batch(4))
  })

  test('holds a bounded number for a slow reader, then sends it to the log', async () => {
    const inbox = createInbox(never)
    for (let seq = 1; seq <= 1_000; seq += 1) inbox.put(batch(seq))

    expect(await inbox.take()).toBeUndefined()
    inbox.put(batch(1_001))
    expect(await inbox.take()).toEqual(batch(1_001))
  })

  test('wakes who waits at the abort of its signal', async () => {
    const stop = new AbortController()
    const waiting = createInbox(stop.signal).take()
    stop.abort()

    expect(await waiting).toBeUndefined()
  })
})

function batch(seq: number): TaskEvent[] {
  return [{ seq, type: 'attempt-started', at: 1, attempt: 1 }]
}
