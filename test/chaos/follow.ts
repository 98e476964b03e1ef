/** A reader that stays with a task to its end, whatever breaks, and applies the events as API.md says. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { StreamItem, TaskEvent, TierlineClient } from '../../src/client/index.ts'

export interface Followed {
  /** All events, in the order in which they came. */
  events: TaskEvent[]
  /** As the last item said; `undefined`: it never came. */
  end: string | undefined
  /** What a reader may not see: a gap, a repeat, a delta that does not fit, a reset. */
  wrong: string[]
  /** Text of each part that was not withdrawn, by message, in the order of the parts. */
  texts: Map<string, Map<string, string>>
}

export async function follow(client: TierlineClient, id: string, signal?: AbortSignal): Promise<Followed> {
  const followed: Followed = { events: [], end: undefined, wrong: [], texts: new Map() }
  while (followed.end === undefined && signal?.aborted !== true) {
    try {
      const after = followed.events.at(-1)?.seq ?? 0
      for await (const item of client.task(id).events({ after, ...(signal && { signal }) }))
        apply(item, followed)
    } catch (error) {
      // Longer away than the client is patient: it comes back and goes on where it was.
      if ((error as { retryable?: boolean }).retryable !== true) throw error
      await sleep(200)
    }
  }
  return followed
}

function apply(item: StreamItem, followed: Followed): void {
  const { events, wrong, texts } = followed
  if (item.type === 'end') {
    followed.end = item.state
    return
  }
  if (item.type === 'reset') {
    wrong.push(`reset: ${JSON.stringify(item.missing)}`)
    return
  }
  const expected = (events.at(-1)?.seq ?? 0) + 1
  if (item.seq !== expected) wrong.push(`seq ${item.seq} came where ${expected} belongs`)
  events.push(item)
  if (item.type === 'text-delta') {
    const parts = texts.get(item.messageID) ?? new Map<string, string>()
    texts.set(item.messageID, parts)
    const text = parts.get(item.partID) ?? ''
    if (item.offset !== text.length)
      wrong.push(`seq ${item.seq}: offset ${item.offset} where the part has ${text.length}`)
    parts.set(item.partID, text + item.text)
  } else if (item.type === 'text-discarded') {
    texts.get(item.messageID)?.delete(item.partID)
  } else if (item.type === 'text-ended') {
    const text = texts.get(item.messageID)?.get(item.partID)
    if (text !== undefined && text.length !== item.length)
      wrong.push(`seq ${item.seq}: the part ends at ${item.length} and has ${text.length}`)
  }
}
