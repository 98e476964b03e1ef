import type { TurnRef } from '../backend.ts'
import type { OpenCodeHttp } from './http.ts'
import { turnMessages } from './turn-messages.ts'
import { isBusyIn } from './wire.ts'

/** See `SessionBackend.running`: the status is of a session, whose last message tells what it works on. */
export async function runningTurns<Ref extends TurnRef>(
  http: OpenCodeHttp,
  turns: readonly Ref[],
): Promise<Ref[]> {
  const { signal } = new AbortController()
  const found = await Promise.all(
    [...Map.groupBy(turns, ({ directory }) => directory)].map(async ([directory, group]) => {
      const statuses = await http.statuses(directory, signal)
      const busy = group.filter(({ sessionID }) => isBusyIn(statuses, sessionID))
      const isLast = await Promise.all(
        busy.map(async ({ sessionID, messageID }) => {
          const all = await http.messages(sessionID, directory, signal)
          return all.length > 0 && turnMessages(all, messageID).at(-1) === all.at(-1)
        }),
      )
      return busy.filter((_, index) => isLast[index])
    }),
  )
  return found.flat()
}
