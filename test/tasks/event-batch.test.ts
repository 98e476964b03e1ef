import { describe, expect, test } from 'vitest'
import { parseEntry } from '../../src/stream/event-reader.ts'
import type { NewEvent } from '../../src/tasks/event.ts'
import { eventsOfBatch, readBatch, writeBatch } from '../../src/tasks/event-batch.ts'

const EVENTS: NewEvent[] = [
  { type: 'task-resumed', at: 1, attempt: 1, workerID: 'a [b] 3' },
  { type: 'task-retried', at: 2, attempt: 1 },
] as NewEvent[]

describe('a batch of events', () => {
  test('is read as it was written, with the seq of each', () => {
    const batch = writeBatch(17, EVENTS)
    expect(batch).toMatch(/^17 \[/)
    expect(readBatch(batch)).toEqual(EVENTS.map((event, index) => ({ seq: 17 + index, ...event })))
    expect(eventsOfBatch(batch)).toEqual(EVENTS)
  })

  test('may be empty', () => {
    expect(readBatch(writeBatch(3, []))).toEqual([])
  })

  test('was written without the seq once, and is still read from a log', () => {
    const numbered = EVENTS.map((event, index) => ({ seq: 17 + index, ...event }))
    expect(parseEntry('18-0', ['e', JSON.stringify(EVENTS)])).toEqual(numbered)
    expect(parseEntry('18-0', ['e', writeBatch(17, EVENTS)])).toEqual(numbered)
  })
})
