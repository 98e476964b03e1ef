/** What a turn does when the server does strange things; the ordinary ones are in the conformance suite. */
import { describe, expect, test } from 'vitest'
import type { TurnEvent } from '../../src/sessions/backend.ts'
import type { DirectoryWatch, Notice } from '../../src/sessions/opencode/directory-watch.ts'
import type { OpenCodeHttp, PromptBody } from '../../src/sessions/opencode/http.ts'
import { OpenCodeRefusal } from '../../src/sessions/opencode/refusal.ts'
import { runTurn } from '../../src/sessions/opencode/run-turn.ts'
import type { Messages } from '../../src/sessions/opencode/wire.ts'
import { loadFixture } from './fixture.ts'
import { turnOf } from './test-turns.ts'

const PACE = { quietMs: 10, quietAtFirstMs: 10, quietAfterErrorMs: 10 }
const turn = turnOf('ses_1', 'hello')

describe('runTurn()', () => {
  test('gives up a message that the server takes again and again and does nothing about', async () => {
    const server = strangeServer()
    const events = await play(server)

    expect(events).toEqual([
      {
        type: 'turn-ended',
        outcome: expect.objectContaining({
          status: 'failed',
          error: expect.objectContaining({ code: 'turn_failed', retryable: true }),
        }),
      },
    ])
    expect(server.prompts).toHaveLength(5)
    expect(new Set(server.prompts.map((body) => JSON.stringify(body))).size).toBe(1)
  })

  test('says what the server said when it does not begin', async () => {
    const server = strangeServer({
      onPrompt: (tell) =>
        tell({
          type: 'error',
          sessionID: 'ses_1',
          error: { name: 'UnknownError', data: { message: 'Agent not found: "x".' } },
        }),
    })
    expect(await play(server)).toMatchObject([
      { outcome: { status: 'failed', error: { code: 'unknown_agent', message: 'Agent not found: "x".' } } },
    ])
    expect(server.prompts).toHaveLength(1)
  })

  test('waits for a server that is busy and says nothing', async () => {
    const { messages } = loadFixture('plain').list('end')
    let polls = 0
    const server = strangeServer({
      isBusy: () => {
        polls += 1
        return polls < 20
      },
      messages: () => (polls < 20 ? [] : messages),
    })
    const events = await play(server, { messageID: loadFixture('plain').messageID })

    expect(events.at(-1)).toMatchObject({ outcome: { status: 'finished', text: 'Hello there, friend' } })
    expect(server.prompts).toHaveLength(1)
  })

  test('does not send what the server refuses again', async () => {
    const server = strangeServer({
      onPrompt: () => {
        throw new OpenCodeRefusal(400, '/session/ses_1/prompt_async answered 400: Missing key')
      },
    })
    expect(await play(server)).toMatchObject([
      { outcome: { status: 'failed', error: { code: 'turn_failed', retryable: false } } },
    ])
    expect(server.prompts).toHaveLength(1)
  })

  test('sends again what the server stumbled over', async () => {
    const { messages } = loadFixture('plain').list('end')
    const server = strangeServer({
      onPrompt: () => {
        if (server.prompts.length < 3) throw new OpenCodeRefusal(500, 'Unexpected server error')
      },
      messages: () => (server.prompts.length < 3 ? [] : messages),
    })
    const events = await play(server, { messageID: loadFixture('plain').messageID })

    expect(events.at(-1)).toMatchObject({ outcome: { status: 'finished' } })
    expect(server.prompts).toHaveLength(3)
  })

  test('asks a server that lost the turn once, and says so', async () => {
    const dead = loadFixture('killed').list('dead').messages
    const whole = loadFixture('killed').list('end').messages
    const server = strangeServer({ messages: () => (server.prompts.length === 0 ? dead : whole) })
    const events = await play(server, { messageID: loadFixture('killed').messageID, isFirst: false })

    expect(events.filter(({ type }) => type === 'turn-resumed')).toHaveLength(1)
    expect(events.at(-1)).toMatchObject({ outcome: { status: 'finished' } })
    expect(server.prompts).toHaveLength(1)
  })
})

interface Strange {
  onPrompt?(tell: (notice: Notice) => void): void
  isBusy?(): boolean
  messages?(): Messages
}

function strangeServer({ onPrompt, isBusy = () => false, messages = () => [] }: Strange = {}) {
  const prompts: PromptBody[] = []
  let tell: (notice: Notice) => void = () => undefined
  const http = {
    async prompt(_session, _directory, body) {
      prompts.push(body)
      onPrompt?.(tell)
    },
    async statuses() {
      return isBusy() ? { ses_1: { type: 'busy' } } : {}
    },
    async messages() {
      return messages()
    },
  } as Partial<OpenCodeHttp> as OpenCodeHttp
  const watch: DirectoryWatch = {
    connected: async () => undefined,
    // Polls as the real one does, only more often.
    listen(_session, listener) {
      tell = listener
      const timer = setInterval(() => listener({ type: 'polled', isBusy: isBusy(), askedAt: Date.now() }), 5)
      return () => clearInterval(timer)
    },
    overhear: () => () => undefined,
    listAsks: async () => undefined,
    tell: () => undefined,
    close: async () => undefined,
  }
  return { http, watch, prompts }
}

async function play(
  { http, watch }: ReturnType<typeof strangeServer>,
  { messageID = turn.messageID, isFirst = true } = {},
): Promise<TurnEvent[]> {
  const deps = { http, watch, patienceMs: 5_000, isFirst, pace: PACE }
  const events: TurnEvent[] = []
  for await (const event of runTurn({ ...turn, messageID }, deps, new AbortController().signal))
    events.push(event)
  return events
}
