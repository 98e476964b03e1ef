import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Write, WriteResult } from '../../src/records/record-store.ts'
import { createAlarms } from '../../src/runner/alarms.ts'
import { createJournal, type JournalEvent, type JournalOptions } from '../../src/runner/journal.ts'
import type { NewEvent } from '../../src/tasks/event.ts'

const COALESCE_MS = 20

beforeEach(() => void vi.useFakeTimers({ now: 100_000 }))
afterEach(() => void vi.useRealTimers())

describe('add()', () => {
  test('sends the first event at once', async () => {
    const { journal, writes } = start()
    journal.add(text('a'))
    await vi.advanceTimersByTimeAsync(0)

    expect(writes.map(eventsOf)).toEqual([[{ type: 'text-delta', at: 100_000, attempt: 2, ...fields('a') }]])
    expect(writes[0]).toMatchObject({ id: 'tsk_1', fence: 3, seq: 7, fields: {} })
  })

  test('puts the text together that comes within 20 ms', async () => {
    const { journal, writes } = start()
    for (let ms = 0; ms < 200; ms += 5) {
      journal.add(text('x', ms / 5))
      await vi.advanceTimersByTimeAsync(5)
    }
    await vi.advanceTimersByTimeAsync(COALESCE_MS)

    expect(writes.length).toBeLessThanOrEqual(200 / COALESCE_MS + 2)
    const deltas = writes.flatMap(eventsOf)
    expect(deltas).toHaveLength(writes.length)
    expect(deltas.map((event) => 'text' in event && event.text).join('')).toBe('x'.repeat(40))
    let offset = 0
    for (const event of deltas) {
      expect(event).toMatchObject({ offset })
      if ('text' in event) offset += event.text.length
    }
  })

  test('holds nothing back of a stream that gives a delta each 20 ms, nor after one that was late', async () => {
    const { journal, writes } = start()
    const saidAt = [0, 20, 52, 60, 80, 100]
    for (const [index, at] of saidAt.entries()) {
      await vi.advanceTimersByTimeAsync(100_000 + at - Date.now())
      journal.add(text(`${index}`, index))
    }
    await vi.advanceTimersByTimeAsync(1)

    expect(writes.map(({ now }) => now - 100_000)).toEqual(saidAt)
  })

  test('sends at once what ends a part, and the text before it', async () => {
    const { journal, writes } = start()
    journal.add(text('a'))
    await vi.advanceTimersByTimeAsync(1)
    journal.add(text('b', 1))
    await vi.advanceTimersByTimeAsync(1)
    expect(writes).toHaveLength(1)

    journal.add({ type: 'text-ended', messageID: 'msg_1', partID: 'prt_1', length: 2 })
    await vi.advanceTimersByTimeAsync(0)

    expect(writes.slice(1).map(eventsOf)).toMatchObject([[{ offset: 1, text: 'b' }, { type: 'text-ended' }]])
  })

  test('sends the first text at once, whatever was written just before', async () => {
    const { journal, writes } = start()
    await journal.commit({ model: 'acme/big' })
    journal.add(text('a'))
    await vi.advanceTimersByTimeAsync(0)

    expect(writes).toHaveLength(2)
  })

  test('keeps apart what is not of one kind and one part, and all in order', async () => {
    const { journal, writes } = start()
    journal.add(text('a'))
    journal.add(text('b', 1))
    journal.add({ ...text('c'), partID: 'prt_2' })
    journal.add({ ...text('r'), type: 'reasoning-delta', partID: 'prt_2' })
    journal.add({ type: 'text-ended', messageID: 'msg_1', partID: 'prt_2', length: 1 })
    journal.add({ ...text('d'), partID: 'prt_2' })
    await vi.advanceTimersByTimeAsync(0)

    expect(eventsOf(writes[0]!).map((event) => ('text' in event ? event.text : event.type))).toEqual([
      'ab',
      'c',
      'r',
      'text-ended',
      'd',
    ])
  })

  test('begins with the opening events, soon and by itself', async () => {
    const { writes } = start({ opening: [{ type: 'attempt-started', at: 1, attempt: 2 }] })
    await vi.advanceTimersByTimeAsync(0)

    expect(writes.map(eventsOf)).toEqual([[{ type: 'attempt-started', at: 1, attempt: 2 }]])
  })
})

describe('commit()', () => {
  test('takes along what is pending, in one write', async () => {
    const { journal, writes } = start()
    journal.add(text('a'))
    await expect(journal.commit({ model: 'acme/big' }, 'waiting')).resolves.toBe(true)
    await vi.advanceTimersByTimeAsync(1_000)

    expect(writes).toHaveLength(1)
    expect(writes[0]).toMatchObject({ fields: { model: 'acme/big' }, to: 'waiting' })
    expect(eventsOf(writes[0]!)).toHaveLength(1)
  })

  test('writes nothing when there is nothing to write', async () => {
    const { journal, writes } = start()

    expect(await journal.commit()).toBe(true)
    expect(writes).toEqual([])
  })

  test('waits for the write that is on its way, and follows its seq', async () => {
    const gate = Promise.withResolvers<void>()
    const { journal, writes } = start({ before: () => gate.promise })
    journal.add(text('a'))
    await vi.advanceTimersByTimeAsync(0)
    journal.add(text('b', 1))
    const done = journal.commit({ costMicroUsd: 1 })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(writes).toHaveLength(1)

    gate.resolve()
    await done
    await vi.advanceTimersByTimeAsync(1_000)

    expect(writes.map(({ seq, events }) => [seq, events.length])).toEqual([
      [7, 1],
      [8, 1],
    ])
  })

  test('throws what the write throws, and loses nothing by it', async () => {
    let broken = true
    const { journal, writes } = start({
      before: async () => {
        if (broken) throw new Error('OOM')
      },
    })
    journal.add(text('a'))
    await expect(journal.commit({ model: 'acme/big' })).rejects.toThrow('OOM')
    broken = false
    journal.add(text('b', 1))
    await journal.commit()

    expect(writes.map(({ seq }) => seq)).toEqual([7, 7])
    expect(eventsOf(writes[1]!)).toMatchObject([{ type: 'text-delta', offset: 0, text: 'ab' }])
  })

  test('a write that fails by itself is tried again', async () => {
    let broken = true
    const { journal, writes } = start({
      before: async () => {
        if (broken) throw new Error('OOM')
      },
    })
    journal.add(text('a'))
    journal.add({ type: 'text-ended', messageID: 'msg_1', partID: 'prt_1', length: 1 })
    await vi.advanceTimersByTimeAsync(COALESCE_MS - 1)
    expect(writes).toHaveLength(1)

    broken = false
    await vi.advanceTimersByTimeAsync(COALESCE_MS)

    expect(writes).toHaveLength(2)
    expect(eventsOf(writes[1]!)).toMatchObject([{ text: 'a' }, { type: 'text-ended' }])
  })
})

test('a stale write ends everything: nothing is written any more', async () => {
  const { journal, writes, onStale } = start({ reply: { status: 'stale' } })
  journal.add(text('a'))
  await vi.advanceTimersByTimeAsync(0)
  journal.add(text('b', 1))
  await vi.advanceTimersByTimeAsync(1_000)

  expect(await journal.commit({ model: 'acme/big' }, 'succeeded')).toBe(false)
  expect(writes).toHaveLength(1)
  expect(onStale).toHaveBeenCalledTimes(1)
})

test('text goes out as soon as before after the clock was set back', async () => {
  const { journal, writes } = start()
  journal.add(text('a'))
  await vi.advanceTimersByTimeAsync(0)
  vi.setSystemTime(Date.now() - 60_000)

  for (const [index, letter] of ['b', 'c'].entries()) {
    journal.add(text(letter, index + 1))
    await vi.advanceTimersByTimeAsync(COALESCE_MS)
  }

  expect(writes.flatMap(eventsOf)).toMatchObject([{ text: 'a' }, { text: 'b' }, { text: 'c' }])
})

test('a cancel that a write noticed is passed on', async () => {
  const { journal, onCancelRequested } = start({
    reply: { status: 'written', seq: 8, cancelRequested: true, next: [] },
  })
  journal.add(text('a'))
  await vi.advanceTimersByTimeAsync(0)

  expect(onCancelRequested).toHaveBeenCalled()
})

test('close() leaves no timer, even while a write is on its way', async () => {
  const gate = Promise.withResolvers<void>()
  const { journal, writes } = start({ before: () => gate.promise })
  journal.add(text('a'))
  await vi.advanceTimersByTimeAsync(0)
  journal.add(text('b', 1))
  journal.close()
  gate.resolve()
  await vi.advanceTimersByTimeAsync(1_000)

  expect(writes).toHaveLength(1)
  expect(vi.getTimerCount()).toBe(0)
})

interface StartOptions {
  opening?: NewEvent[]
  reply?: WriteResult
  before?: () => Promise<void>
}

function start({ opening = [], reply, before }: StartOptions = {}) {
  const writes: Write[] = []
  const onStale = vi.fn()
  const onCancelRequested = vi.fn()
  const write: JournalOptions['write'] = async (next) => {
    writes.push(next)
    await before?.()
    return (
      reply ?? { status: 'written', seq: next.seq + next.events.length, cancelRequested: false, next: [] }
    )
  }
  const about = { id: 'tsk_1', fence: 3, attempt: 2, seq: 7 }
  const parts = { alarms: createAlarms(), write, now: Date.now, onStale, onCancelRequested }
  const journal = createJournal({ ...about, opening, ...parts })
  return { journal, writes, onStale, onCancelRequested }
}

function eventsOf({ events }: Write): readonly NewEvent[] {
  return events
}

function fields(text: string, offset = 0) {
  return { messageID: 'msg_1', partID: 'prt_1', offset, text }
}

function text(content: string, offset = 0): Extract<JournalEvent, { type: 'text-delta' }> {
  return { type: 'text-delta', ...fields(content, offset) }
}
