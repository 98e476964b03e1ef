/** `test` with a hub, a reader, and a writer that claims and writes as a worker does. */
import { expect } from 'vitest'
import type { Write } from '../../src/records/record-store.ts'
import type { RedisClient } from '../../src/redis/connect.ts'
import { createEventReader } from '../../src/stream/event-reader.ts'
import { createLiveHub, type LiveHub } from '../../src/stream/live-hub.ts'
import type { NewEvent, StreamItem } from '../../src/tasks/event.ts'
import { test as base, type RecordsFixture, started, textDelta, writeOf } from '../records/records-test.ts'
import { eventually } from '../setup/eventually.ts'

export interface StreamFixture {
  hub: LiveHub
  /** The hub's own connection. */
  subscriber: RedisClient
  read: ReturnType<typeof createEventReader>
  /** How many connections listen to a channel. */
  listeners(channel: string): Promise<number>
  /** A worker that has claimed a task and writes one batch at each call. */
  claim(id?: string): Promise<Writer>
}

export interface Writer {
  id: string
  write(events: readonly NewEvent[], to?: Write['to']): Promise<void>
  /** So many batches of one event, all at once. */
  flood(count: number): Promise<void>
}

/** Longer than any test: what is found by looking again now and then would not be found. */
const NEVER_MS = 2_000_000_000

export const test = base.extend<{ lookAgainMs: number; stream: StreamFixture }>({
  lookAgainMs: NEVER_MS,
  stream: async ({ redis: { keys, connect }, records, lookAgainMs }, use) => {
    const subscriber = await connect('wait')
    const hub = createLiveHub(subscriber, lookAgainMs)
    const read = createEventReader({ redis: records.redis, keys, hub })

    await use({
      hub,
      subscriber,
      read,
      listeners: async (channel) => Number((await records.redis.pubsub('NUMSUB', channel))[1]),
      claim: async (id) => createWriter(records, id ?? (await records.create())),
    })

    await hub.close()
  },
})

async function createWriter({ store, claimed }: RecordsFixture, id: string): Promise<Writer> {
  const record = await claimed(id)
  let { seq } = record
  return {
    id,
    async flood(count) {
      const batches = Array.from({ length: count }, (_, index) => ({ ...record, seq: seq + index }))
      await Promise.all(batches.map((at) => store.write(writeOf(at, { events: [textDelta('x')] }))))
      seq += count
    },
    async write(events, to) {
      const reply = await store.write(writeOf({ ...record, seq }, { events, ...(to && { to }) }))
      if (reply.status === 'stale') throw new Error(`Cannot write to task "${id}": taken over`)
      seq = reply.seq
    },
  }
}

/** How the log of a task begins. */
export const OPENING: NewEvent[] = [
  { type: 'task-queued', at: 1_000, attempt: 0, queue: 'fast' },
  {
    type: 'task-routed',
    at: 1_000,
    attempt: 0,
    route: { generation: 1, requested: {}, tier: 'fast', model: 'acme/nano', chain: [], steps: [] },
  },
]

export interface Reading {
  items: StreamItem[]
  /** Resolves when the iteration ends; rejects with what it throws. */
  done: Promise<void>
  stop(): void
}

/** Reads in the background. */
export function reading(read: StreamFixture['read'], id: string, after = 0): Reading {
  const items: StreamItem[] = []
  const stop = new AbortController()
  const done = (async () => {
    for await (const item of read(id, { after, signal: stop.signal })) items.push(item)
  })()
  done.catch(() => {})
  return { items, done, stop: () => stop.abort() }
}

/** Of a task that has begun, once it has read so far. */
export async function readingStarted(claim: StreamFixture['claim'], read: StreamFixture['read']) {
  const { id, write } = await claim()
  await write([started])
  const reader = reading(read, id)
  await eventually(() => expect(reader.items).toHaveLength(1))
  return { id, write, reader }
}

/** `['1 task-queued', 'reset 3..7', 'end']` */
export function shortly(items: readonly StreamItem[]): string[] {
  return items.map((item) => {
    if (item.type === 'end') return `end ${item.state}`
    return item.type === 'reset' ? `reset ${item.missing.join('..')}` : `${item.seq} ${item.type}`
  })
}
