/**
 * How a process hears that tasks are over which it has submitted and waits for: over one channel of its own, whose
 * name is in their records. Their last write says it there, with its events, so that nothing is asked again.
 */

import type { NewEvent } from '../tasks/event.ts'
import { eventsOfBatch } from '../tasks/event-batch.ts'
import type { LiveHub } from './live-hub.ts'

export interface EndNoticesDeps {
  hub: LiveHub
  channel: string
  /** Of these tasks, those that are not over. */
  liveTasks(ids: readonly string[]): Promise<readonly { id: string }[]>
  /** Aborts when all is closed. */
  closed: AbortSignal
}

export interface EndNotices {
  /** Waits for a task that is about to be written, until `forget`. One round trip, the first time. */
  expect(id: string): Promise<void>
  /** The events of its last write; `undefined`: only the record can say, now or later. */
  ended(id: string): Promise<readonly NewEvent[] | undefined>
  forget(id: string): void
}

type End = PromiseWithResolvers<readonly NewEvent[] | undefined>

export function createEndNotices({ hub, channel, liveTasks, closed }: EndNoticesDeps): EndNotices {
  const expected = new Map<string, End>()
  let listening: Promise<unknown> | undefined

  function hear(message: string | undefined): void {
    if (message === undefined) {
      lookAgain()
      return
    }
    const space = message.indexOf(' ')
    expected.get(message.slice(0, space))?.resolve(eventsOfBatch(message))
  }

  /** Some may have been missed. */
  function lookAgain(): void {
    const ids = [...expected.keys()]
    if (ids.length === 0) return
    liveTasks(ids).then(
      (found) => {
        const live = new Set(found.map(({ id }) => id))
        for (const id of ids) if (!live.has(id)) expected.get(id)?.resolve(undefined)
      },
      // When Redis is away again the next look will tell.
      () => {},
    )
  }

  closed.addEventListener('abort', () => {
    for (const end of expected.values()) end.resolve(undefined)
  })

  return {
    async expect(id) {
      expected.set(id, Promise.withResolvers())
      listening ??= hub.listenPlain(channel, hear).catch((error) => {
        listening = undefined
        throw error
      })
      await listening
    },
    async ended(id) {
      return closed.aborted ? undefined : expected.get(id)?.promise
    },
    forget(id) {
      // Whoever waits for it still waits for nothing.
      expected.get(id)?.resolve(undefined)
      expected.delete(id)
    },
  }
}
