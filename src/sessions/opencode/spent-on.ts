import type { Spending, Turn } from '../backend.ts'
import { readChildren } from './read-children.ts'
import { OpenCodeRefusal } from './refusal.ts'
import { createTurnView } from './turn-view.ts'
import type { Messages } from './wire.ts'

/** What a turn came to by the messages the server has; one request for its session and one for each below it. */
export async function spentOn(
  turn: Pick<Turn, 'sessionID' | 'messageID' | 'model'>,
  messages: (sessionID: string) => Promise<Messages>,
): Promise<readonly Spending[]> {
  const view = createTurnView(turn)
  try {
    view.list(await messages(turn.sessionID))
  } catch (error) {
    if (error instanceof OpenCodeRefusal && error.status === 404) return []
    throw error
  }
  for await (const _ of readChildren(view, () => true, messages));
  return view.spendings()
}
