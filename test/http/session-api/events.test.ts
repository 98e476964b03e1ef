import { createParser } from 'eventsource-parser'
import { describe, expect } from 'vitest'
import { TierlineError } from '../../../src/errors.ts'
import { eventually } from '../../setup/eventually.ts'
import { say, test } from './session-test.ts'

interface Heard {
  type: string
  properties: {
    sessionID?: string
    status?: { type: string }
    info?: { id: string }
    part?: { text: string }
  }
}

describe('GET /event', () => {
  test('tells of messages that wait, whichever API took them', async ({ api, core: { backend } }) => {
    const [one, other] = [await api.start(), await api.start({ working: false })]
    const id = await one.open()
    const { heard, stop } = await follow(other.url)
    await one.call('POST', `/session/${id}/prompt_async`, say('@hold:here'))
    await backend.holds.held('here')

    await one.call('POST', `/session/${id}/prompt_async`, say('Waits', { messageID: 'msg_waits' }))

    await eventually(() => {
      expect(heard).toContainEqual(
        expect.objectContaining({
          type: 'message.updated',
          properties: expect.objectContaining({
            info: expect.objectContaining({ id: 'msg_waits', role: 'user' }),
          }),
        }),
      )
      const part = heard.findLast(({ type }) => type === 'message.part.updated')
      expect(part!.properties.part).toMatchObject({ type: 'text', text: 'Waits', messageID: 'msg_waits' })
      expect(heard).toContainEqual(
        expect.objectContaining({
          type: 'session.status',
          properties: { sessionID: id, status: { type: 'busy' } },
        }),
      )
    })
    backend.holds.release('here')
    stop()
  })

  test('tells of a task of the session that came another way', async ({ api, core: { backend } }) => {
    const { url, call, open, orchestrator } = await api.start()
    const id = await open()
    const { heard, stop } = await follow(url)
    await call('POST', `/session/${id}/prompt_async`, say('@hold:here'))
    await backend.holds.held('here')

    await orchestrator.tasks.submit({ sessionID: id, prompt: 'Waits' })

    await eventually(() => {
      const part = heard.findLast(({ type }) => type === 'message.part.updated')
      expect(part!.properties.part).toMatchObject({ type: 'text', text: 'Waits' })
    })
    backend.holds.release('here')
    stop()
  })

  test('leaves the idle out that is between two messages', async ({ api, core: { backend } }) => {
    const { url, call, open } = await api.start()
    const id = await open()
    const { heard, stop } = await follow(url)
    await call('POST', `/session/${id}/prompt_async`, say('@hold:here'))
    await backend.holds.held('here')
    await call('POST', `/session/${id}/prompt_async`, say('Waits'))

    // As OpenCode does at the end of each message.
    backend.say({ type: 'session.idle', properties: { sessionID: id } })
    backend.say({ type: 'marker', properties: {} })
    await eventually(() => expect(heard.map(({ type }) => type)).toContain('marker'))
    expect(heard.map(({ type }) => type)).not.toContain('session.idle')

    backend.holds.release('here')
    await eventually(async () => expect((await call('GET', '/session/status')).json).toEqual({}))
    backend.say({ type: 'session.idle', properties: { sessionID: id } })
    await eventually(() => expect(heard.at(-1)).toMatchObject({ type: 'session.idle' }))
    stop()
  })

  test('takes what waited away before OpenCode tells of it with another date', async ({ api, core }) => {
    const { url, call, open } = await api.start({ working: false })
    const id = await open()
    await call('POST', `/session/${id}/prompt_async`, say('Listed', { messageID: 'msg_listed' }))
    const { heard, stop } = await follow(url)
    await call('GET', `/session/${id}/message`)
    await call('POST', `/session/${id}/prompt_async`, say('Told', { messageID: 'msg_told' }))
    await eventually(() => expect(heard.at(-1)!.type).toBe('message.part.updated'))
    const before = heard.length

    const sent = (messageID: string) => ({
      type: 'message.updated',
      properties: { sessionID: id, info: { id: messageID, role: 'user', time: { created: 2 } } },
    })
    for (const message of ['msg_listed', 'msg_told', 'msg_other', 'msg_told']) core.backend.say(sent(message))

    const away = (messageID: string) => ({
      id: expect.any(String),
      type: 'message.removed',
      properties: { sessionID: id, messageID },
    })
    await eventually(() =>
      expect(heard.slice(before)).toEqual([
        away('msg_listed'),
        sent('msg_listed'),
        away('msg_told'),
        sent('msg_told'),
        sent('msg_other'),
        sent('msg_told'),
      ]),
    )
    stop()
  })

  test('takes a message away that is withdrawn', async ({ api }) => {
    const { url, call, open, orchestrator } = await api.start({ working: false })
    const id = await open()
    await call('POST', `/session/${id}/prompt_async`, say('Waits first'))
    const { heard, stop } = await follow(url)
    const message = say('Waits', { messageID: 'msg_waits' })
    const { headers } = await call('POST', `/session/${id}/prompt_async`, message)

    await orchestrator.tasks.cancel(headers.get('x-tierline-task')!)

    await eventually(() =>
      expect(heard.at(-1)).toMatchObject({
        type: 'message.removed',
        properties: { sessionID: id, messageID: 'msg_waits' },
      }),
    )
    stop()
  })

  test('says idle when the last message that waited is withdrawn', async ({ api }) => {
    const { url, call, open, orchestrator } = await api.start({ working: false })
    const id = await open()
    const { heard, stop } = await follow(url)
    const { headers } = await call('POST', `/session/${id}/prompt_async`, say('Waits'))

    await orchestrator.tasks.cancel(headers.get('x-tierline-task')!)

    await eventually(() =>
      expect(heard.at(-1)).toMatchObject({ type: 'session.idle', properties: { sessionID: id } }),
    )
    stop()
  })

  test('shows the session’s own model', async ({ api, core: { backend } }) => {
    const { url } = await api.start()
    const { heard, stop } = await follow(url)

    const info = {
      id: 'ses_1',
      metadata: { tierline: { model: 'acme/big' } },
      model: { id: 'nano', providerID: 'acme' },
    }
    backend.say({ type: 'session.updated', properties: { sessionID: 'ses_1', info } })

    await eventually(() =>
      expect(heard.at(-1)!.properties.info).toEqual({ ...info, model: { id: 'big', providerID: 'acme' } }),
    )
    stop()
  })
})

describe('GET /global/event', () => {
  test('wraps what is told of all directories, with what waits', async ({ api, core: { backend } }) => {
    const { url, call, open } = await api.start({ working: false })
    const id = await open({}, '/work')
    const { heard, stop } = await follow<Wrapped>(url, '/global/event')

    backend.say({ directory: '/work', project: 'p1', payload: { type: 'marker', properties: {} } })
    await eventually(() => expect(heard.map(({ payload }) => payload.type)).toContain('marker'))
    await call('POST', `/session/${id}/prompt_async`, say('Waits', { messageID: 'msg_waits' }))

    await eventually(() =>
      expect(heard).toContainEqual({
        directory: '/work',
        project: 'p1',
        payload: expect.objectContaining({
          type: 'message.updated',
          properties: expect.objectContaining({ info: expect.objectContaining({ id: 'msg_waits' }) }),
        }),
      }),
    )
    backend.say({ directory: '/work', payload: { type: 'session.idle', properties: { sessionID: id } } })
    const info = { id, metadata: { tierline: { model: 'acme/big' } } }
    backend.say({ directory: '/work', payload: { type: 'session.updated', properties: { info } } })
    await eventually(() =>
      expect(heard.at(-1)!.payload.properties.info).toMatchObject({ model: { id: 'big' } }),
    )
    expect(heard.map(({ payload }) => payload.type)).not.toContain('session.idle')
    stop()
  })

  test('leaves out what is not allowed, and what OpenCode says twice', async ({ api, core: { backend } }) => {
    const checkDirectory = async (path: string): Promise<string> => {
      if (path.startsWith('/secret')) throw new TierlineError('directory_not_allowed', 'Cannot use it')
      return path
    }
    const { url } = await api.start({ core: { checkDirectory } })
    const { heard, stop } = await follow<Wrapped>(url, '/global/event')

    backend.say({ directory: '/secret/a', payload: { type: 'hidden', properties: {} } })
    backend.say({ directory: '/work', payload: { type: 'sync', syncEvent: {} } })
    backend.say({ directory: 'global', payload: { type: 'global.disposed', properties: {} } })
    backend.say({ directory: '/work', payload: { type: 'marker', properties: {} } })

    await eventually(() => expect(heard.map(({ payload }) => payload.type)).toContain('marker'))
    expect(heard.map(({ payload }) => payload.type)).toEqual([
      'server.connected',
      'global.disposed',
      'marker',
    ])
    stop()
  })
})

interface Wrapped {
  directory?: string
  project?: string
  payload: Heard
}

/** Resolves once events come in. */
async function follow<Told = Heard>(url: string, path = '/event'): Promise<{ heard: Told[]; stop(): void }> {
  const heard: Told[] = []
  const abort = new AbortController()
  const response = await fetch(url + path, { signal: abort.signal })
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
  const parser = createParser({ onEvent: ({ data }) => void heard.push(JSON.parse(data)) })
  const decoder = new TextDecoder()
  void (async () => {
    for await (const chunk of response.body!) parser.feed(decoder.decode(chunk, { stream: true }))
  })().catch(() => {})
  await eventually(() => expect(JSON.stringify(heard[0])).toContain('server.connected'))
  return { heard, stop: () => abort.abort() }
}
