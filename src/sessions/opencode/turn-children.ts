import type { TurnEvent } from '../backend.ts'
import type { DirectoryWatch } from './directory-watch.ts'
import { readChildren } from './read-children.ts'
import type { SessionEvent } from './session-event.ts'
import type { TurnView } from './turn-view.ts'
import type { Messages } from './wire.ts'

export interface TurnChildren {
  /** Listens to those that turned up since. */
  follow(): void
  /** As `follow`, and reads what they did before they were known: it is in their messages alone. */
  look(): AsyncGenerator<TurnEvent>
  /** Reads all of them: events may have been missed, and what they cost is not in the messages of the turn. */
  readAll(): AsyncGenerator<TurnEvent>
  close(): void
}

/** The sessions below one turn. */
export function createTurnChildren({
  view,
  watch,
  hear,
  messages,
}: {
  view: Pick<TurnView, 'children' | 'listChild'>
  watch: Pick<DirectoryWatch, 'overhear'>
  hear(event: SessionEvent): void
  messages(sessionID: string): Promise<Messages>
}): TurnChildren {
  /** With the way to stop listening to each. */
  const followed = new Map<string, () => void>()

  function follow(): void {
    for (const id of view.children()) if (!followed.has(id)) followed.set(id, watch.overhear(id, hear))
  }

  return {
    follow,
    async *look() {
      const known = new Set(followed.keys())
      follow()
      if (followed.size > known.size) yield* readChildren(view, (id) => !known.has(id), messages)
    },
    readAll: () => readChildren(view, () => true, messages),
    close() {
      for (const stop of followed.values()) stop()
    },
  }
}

/** A tool that has just opened a session. */
export function startsChild(event: { readonly type: string } | SessionEvent): boolean {
  if (event.type !== 'part' || !('part' in event) || event.part.type !== 'tool') return false
  return event.part.state.metadata?.sessionId !== undefined
}
