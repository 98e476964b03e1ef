import type { TurnEvent } from '../backend.ts'
import { OpenCodeRefusal } from './refusal.ts'
import type { TurnView } from './turn-view.ts'
import type { Messages } from './wire.ts'

/**
 * Reads the messages of the sessions below a turn, and of those that turn up by that; one request each.
 *
 * @throws what `messages` throws, unless the server has the session no more.
 */
export async function* readChildren(
  view: Pick<TurnView, 'children' | 'listChild'>,
  isWanted: (sessionID: string) => boolean,
  messages: (sessionID: string) => Promise<Messages>,
): AsyncGenerator<TurnEvent> {
  const read = new Set<string>()
  for (let next = due(); next !== undefined; next = due()) {
    read.add(next)
    try {
      yield* view.listChild(next, await messages(next))
    } catch (error) {
      if (!(error instanceof OpenCodeRefusal)) throw error
    }
  }

  function due(): string | undefined {
    return view.children().find((id) => !read.has(id) && isWanted(id))
  }
}
