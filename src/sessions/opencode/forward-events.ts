import { createParser } from 'eventsource-parser'
import { TierlineError } from '../../errors.ts'
import type { EventsFrom, SessionBackend } from '../backend.ts'

/** OpenCode's events as they come, over a connection of their own, which ends with the iteration. */
export async function* forwardEvents(
  forward: SessionBackend['forward'],
  from: EventsFrom,
  signal: AbortSignal,
): AsyncGenerator<object> {
  const answer = await forward({ method: 'GET', path: pathOf(from), isStream: true }, signal)
  if (answer.status !== 200)
    throw new TierlineError(
      'opencode_unavailable',
      `Cannot follow the events of OpenCode: it answered ${answer.status}`,
    )
  const heard: object[] = []
  const parser = createParser({
    onEvent({ data }) {
      heard.push(JSON.parse(data) as object)
    },
  })
  const decoder = new TextDecoder()
  for await (const chunk of answer.body) {
    parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }))
    yield* heard.splice(0)
  }
}

function pathOf(from: EventsFrom): string {
  if (from === 'all') return '/global/event'
  const { directory } = from
  return directory === undefined ? '/event' : `/event?${new URLSearchParams({ directory })}`
}
