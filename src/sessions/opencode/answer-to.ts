import type { SessionRef } from '../backend.ts'
import type { OpenCodeHttp } from './http.ts'
import { OpenCodeRefusal } from './refusal.ts'
import { answersOf, turnMessages } from './turn-messages.ts'
import { MessageList } from './wire.ts'

/** A turn with more steps than this is rare; the next look reads further back. */
const LIMITS = [20, 200, 10_000]

/** The last answer of a turn, whole as the server has it; `undefined` when there is none. */
export async function answerTo(
  http: OpenCodeHttp,
  { sessionID, directory }: SessionRef,
  messageID: string,
  signal: AbortSignal,
): Promise<object | undefined> {
  for (const limit of LIMITS) {
    const raw = await http.rawMessages(sessionID, directory, limit, signal).catch((error) => {
      if (error instanceof OpenCodeRefusal && error.status === 404) return undefined
      throw error
    })
    if (raw === undefined) return undefined
    const turn = turnMessages(MessageList.parse(raw), messageID)
    const last = answersOf(turn).at(-1)
    if (last !== undefined) return raw.find(({ info }) => info.id === last.info.id)
    if (turn.length > 0 || raw.length < limit) return undefined
  }
  return undefined
}
