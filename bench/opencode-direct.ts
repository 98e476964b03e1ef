/** OpenCode as somebody would use it who has no tierline: two requests and the stream of events. */
import { createParser } from 'eventsource-parser'
import { clockMs } from './clock.ts'

export interface Timing {
  /** From the question, in milliseconds. */
  firstMs: number
  lastMs: number
  /** Until it was known that no more comes. */
  endMs: number
}

export interface DirectOptions {
  url: string
  username: string
  password: string
  model: { providerID: string; modelID: string }
}

interface Event {
  type: string
  properties: { sessionID?: string; status?: { type: string } }
}

/** Keeps the stream of events open, as whoever asks more than once would. */
export async function openDirectly({ url, username, password, model }: DirectOptions): Promise<{
  ask(prompt: string): Promise<Timing>
  close(): void
}> {
  const headers = {
    authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
    'content-type': 'application/json',
  }
  const closing = new AbortController()
  const connected = Promise.withResolvers<void>()
  let listener: (event: Event) => void = () => {}
  let asked = 0

  const parser = createParser({
    onEvent({ data }) {
      const event = JSON.parse(data) as Event
      if (event.type === 'server.connected') connected.resolve()
      else listener(event)
    },
  })
  const stream = await fetch(`${url}/event`, { headers, signal: closing.signal })
  const read = async () => {
    const decoder = new TextDecoder()
    for await (const chunk of stream.body!) parser.feed(decoder.decode(chunk, { stream: true }))
  }
  read().catch((error) => connected.reject(error))
  await connected.promise

  async function post(path: string, body: object): Promise<Response> {
    const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
    return response
  }

  return {
    async ask(prompt) {
      asked += 1
      const startedAt = clockMs()
      const sessionModel = { providerID: model.providerID, id: model.modelID }
      const created = await post('/session', { title: `Direct ${asked}`, model: sessionModel })
      const { id: sessionID } = (await created.json()) as { id: string }
      const timing = { firstMs: 0, lastMs: 0, endMs: 0 }
      const ended = new Promise<void>((resolve) => {
        listener = ({ type, properties }) => {
          if (properties.sessionID !== sessionID) return
          const passedMs = clockMs() - startedAt
          if (type === 'message.part.delta') {
            timing.firstMs ||= passedMs
            timing.lastMs = passedMs
          } else if (type === 'session.status' && properties.status?.type === 'idle') {
            timing.endMs = passedMs
            resolve()
          }
        }
      })
      const sent = await post(`/session/${sessionID}/prompt_async`, {
        messageID: `msg_direct${String(asked).padStart(20, '0')}`,
        model,
        agent: 'build',
        parts: [{ type: 'text', text: prompt }],
      })
      await sent.body?.cancel()
      await ended
      return timing
    },
    close: () => closing.abort(),
  }
}
