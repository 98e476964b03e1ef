import type { EventsFrom, SessionBackend } from '../../sessions/backend.ts'
import type { SessionNotice, SessionNotices } from './session-notices.ts'

/** Seconds of a busy server. */
const MOST_WAITING = 10_000

/**
 * What servers tell and what is noticed here, in the order in which it came. Ends as soon as a server does, and where so
 * much waits for a slow reader that it would fill the memory: who comes back reads the messages again.
 */
export async function* eventsAndNotices<Told extends object>(
  notices: SessionNotices,
  backends: readonly SessionBackend[],
  from: EventsFrom,
  signal: AbortSignal,
): AsyncGenerator<Told | SessionNotice> {
  const over = new AbortController()
  const end = AbortSignal.any([signal, over.signal])
  const items: (Told | SessionNotice)[] = []
  let wake = () => {}
  let isOver = false
  let failure: unknown
  const push = (item: Told | SessionNotice) => {
    if (isOver) return
    items.push(item)
    if (items.length >= MOST_WAITING) finish()
    wake()
  }
  const finish = (error?: unknown) => {
    if (isOver) return
    failure = error
    isOver = true
    over.abort()
    wake()
  }
  const stop = await notices.listen(push)
  end.addEventListener('abort', () => wake())
  Promise.race(backends.map(follow)).then(() => finish(), finish)
  try {
    while (!signal.aborted) {
      const item = items.shift()
      if (item !== undefined) yield item
      else if (isOver) break
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
    if (failure !== undefined && !signal.aborted) throw failure
  } finally {
    stop()
    over.abort()
  }

  async function follow(backend: SessionBackend): Promise<void> {
    for await (const event of backend.events(from, end)) push(event as Told)
  }
}

export function isNotice(item: object): item is SessionNotice {
  return 'record' in item
}
