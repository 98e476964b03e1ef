/** What a real OpenCode said, recorded by `record-fixtures.ts`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSessionEvent, type SessionEvent } from '../../src/sessions/opencode/session-event.ts'
import { MessageList, type Messages } from '../../src/sessions/opencode/wire.ts'

export interface Fixture {
  messageID: string
  events: readonly SessionEvent[]
  /** The list of that name, and how many events had been heard when it was asked for. */
  list(name: string): { messages: Messages; afterEvents: number }
}

interface Recorded {
  messageID: string
  events: object[]
  snapshots: Record<string, { afterEvents: number; messages: unknown }>
}

export function loadFixture(name: string): Fixture {
  const file = join(import.meta.dirname, 'fixtures', `${name}.json`)
  const { messageID, events, snapshots }: Recorded = JSON.parse(readFileSync(file, 'utf8'))
  // Positions count, so an event of no use keeps its place as one that nobody reads.
  const heard = events.map((event) => readSessionEvent(JSON.stringify(event)) ?? NOTHING)
  return {
    messageID,
    events: heard as SessionEvent[],
    list(label) {
      const { afterEvents, messages } = snapshots[label]!
      return { afterEvents, messages: MessageList.parse(messages) }
    },
  }
}

const NOTHING = { type: 'nothing' }
