import { describe, expect } from 'vitest'
import { eventually } from '../../setup/eventually.ts'
import { say, test } from './session-test.ts'

describe('POST /session', () => {
  test.for([
    ['flat', { providerID: 'acme', modelID: 'big' }],
    ['as OpenCode has it', { model: { providerID: 'acme', id: 'big' } }],
    ['as it has it on messages', { model: { providerID: 'acme', modelID: 'big' } }],
    ['as text', { model: 'acme/big' }],
    ['by tier', { tier: 'powerful' }],
    ['by type', { type: 'analysis' }],
    ['twice the same', { model: 'acme/big', providerID: 'acme', modelID: 'big' }],
  ] as const)('takes the model %s, and shows it', async ([, body], { api }) => {
    const { call, asked } = await api.start()

    const { status, json } = await call('POST', '/session', { title: 'Fast Task', ...body })
    expect(status).toBe(200)
    expect(json).toMatchObject({ title: 'Fast Task', model: { providerID: 'acme', id: 'big' } })

    const answer = await call('POST', `/session/${json.id}/message`, say('Hello'))
    expect(answer.json.info).toMatchObject({ providerID: 'acme', modelID: 'big', role: 'assistant' })
    expect(asked()).toEqual(['acme/big'])
  })

  test('without a model follows the default of the routing table', async ({ api }) => {
    const { call, open, asked } = await api.start()

    await call('POST', `/session/${await open()}/message`, say('Hello'))

    expect(asked()).toEqual(['acme/nano'])
  })

  test('is opened in the directory that query or header names', async ({ api, core: { backend } }) => {
    const { call } = await api.start()

    await call('POST', '/session?directory=/work')
    await call('POST', '/session', {}, { 'x-opencode-directory': encodeURIComponent('/wörk') })

    expect(backend.sessions.map(({ directory }) => directory)).toEqual(['/work', '/wörk'])
    // Never empty: OpenCode would pay for a title of its own.
    expect(backend.sessions[0]!.title).toMatch(/^Session of 20/)
  })

  test.for<[object, string, string]>([
    [{ model: 'acme/bigg' }, 'unknown_model', 'model'],
    [{ model: 'big' }, 'unknown_model', 'model'],
    [{ providerID: 'acme', modelID: 'nan' }, 'unknown_model', 'model'],
    [{ tier: 'fats' }, 'unknown_tier', 'tier'],
    [{ type: 'lnt' }, 'unknown_type', 'type'],
    [{ agent: 'bild' }, 'unknown_agent', 'agent'],
    [{ model: 'acme/big', providerID: 'acme', modelID: 'nano' }, 'invalid_input', 'model'],
    [{ model: { providerID: 'acme', id: 'big', modelID: 'nano' } }, 'invalid_input', 'model.id'],
    [{ providerID: 'acme' }, 'invalid_input', 'modelID'],
    [{ model: { providerID: 'acme' } }, 'invalid_input', 'model.modelID'],
    [{ modle: 'acme/big' }, 'unknown_field', 'modle'],
    [[], 'invalid_input', 'body'],
    [{ parentID: 'ses_none' }, 'session_not_found', 'parentID'],
  ])('refuses %j as %s before OpenCode is asked', async ([body, code, field], { api, core: { backend } }) => {
    const { call } = await api.start()

    const { json, status, headers } = await call('POST', '/session', body)

    expect(json).toMatchObject({ code, status, errors: [{ field }] })
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(json).toMatchObject({ name: expect.any(String), data: { message: json.detail } })
    expect(backend.forwarded).toEqual([])
  })
})

describe('POST /session/:id/message', () => {
  test('overrides the model for one message, and says whose answer it is', async ({ api }) => {
    const { call, open, asked } = await api.start()
    const id = await open({ providerID: 'acme', modelID: 'mini' })
    const send = async (more: object) =>
      (await call('POST', `/session/${id}/message`, say('Hello', more))).json.info

    expect(await send({})).toMatchObject({ modelID: 'mini' })
    expect(await send({ providerID: 'acme', modelID: 'big' })).toMatchObject({
      providerID: 'acme',
      modelID: 'big',
    })
    expect(await send({})).toMatchObject({ modelID: 'mini' })
    expect(await send({ model: { providerID: 'globex', modelID: 'fast' } })).toMatchObject({
      providerID: 'globex',
    })
    expect(await send({ tier: 'powerful' })).toMatchObject({ modelID: 'big' })
    expect(await send({})).toMatchObject({ modelID: 'mini' })
    expect(asked()).toEqual(['acme/mini', 'acme/big', 'acme/mini', 'globex/fast', 'acme/big', 'acme/mini'])
    const { json } = await call('GET', `/session/${id}`)
    expect(json.model).toEqual({ providerID: 'acme', id: 'mini' })
  })

  test('is a task of its session', async ({ api }) => {
    const { call, open, orchestrator } = await api.start()
    const id = await open({ tier: 'powerful' })

    const { headers } = await call('POST', `/session/${id}/message`, say('Hello'))

    const task = await orchestrator.tasks.get(headers.get('x-tierline-task')!)
    expect(task).toMatchObject({ state: 'succeeded', tier: 'powerful', sessionID: id, queue: 'powerful' })
    expect(headers.get('location')).toBe(task.links.self)
  })

  test('keeps the order of messages that come at once over two APIs', async ({ api, core: { backend } }) => {
    const [one, other] = [await api.start(), await api.start()]
    const id = await one.open()
    const texts = Array.from({ length: 8 }, (_, index) => `message ${index}`)
    // One after the other to two servers; none is waited for but for its acceptance.
    for (const [index, text] of texts.entries())
      await (index % 2 ? one : other).call('POST', `/session/${id}/prompt_async`, say(text))

    await one.call('POST', `/session/${id}/message`, say('last'))

    const sent = backend.turns.map(({ parts }) => (parts[0] as { text: string }).text)
    expect(sent).toEqual([...texts, 'last'])
  })

  test('with the id of a message that was sent is the same message', async ({ api, core: { backend } }) => {
    const { call, open } = await api.start()
    const id = await open()
    const body = say('Hello', { messageID: 'msg_mine' })

    const [first, again] = [
      await call('POST', `/session/${id}/message`, body),
      await call('POST', `/session/${id}/message`, body),
    ]

    expect(first.json.info.parentID).toBe('msg_mine')
    expect(again.json).toEqual(first.json)
    expect(again.headers.get('x-tierline-task')).toBe(first.headers.get('x-tierline-task'))
    expect(backend.ledger.paid()).toHaveLength(1)
    const other = await call('POST', `/session/${id}/message`, say('Else', { messageID: 'msg_mine' }))
    expect(other.json).toMatchObject({
      code: 'idempotency_key_reused',
      errors: [{ field: 'messageID', given: 'msg_mine' }],
    })
  })

  test('tells a failure of the model as OpenCode does, in the message', async ({ api }) => {
    const { call, open } = await api.start()

    const { status, json } = await call(
      'POST',
      `/session/${await open()}/message`,
      say('@status:401', { model: 'acme/nano' }),
    )

    expect([status, json.info.error.name]).toEqual([200, 'APIError'])
  })

  test('loses nothing with a client that goes away', async ({ api, core: { backend } }) => {
    const { call, open, url, orchestrator } = await api.start()
    const id = await open()
    const leaving = new AbortController()
    const sent = fetch(`${url}/session/${id}/message`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(say('@hold:here @say: Here it is')),
      signal: leaving.signal,
    })
    await backend.holds.held('here')

    leaving.abort()
    await expect(sent).rejects.toThrow()
    backend.holds.release('here')
    await call('POST', `/session/${id}/message`, say('Next'))

    const { data } = await orchestrator.tasks.list({ limit: 10 })
    expect(data.at(-1)).toMatchObject({ state: 'succeeded', result: { text: 'Here it is' } })
  })

  test('keeps a client that waits long with blanks, and tells what fails then inside', async ({
    api,
    core: { backend },
  }) => {
    const { call, open, url, orchestrator } = await api.start({
      http: { sessionPatience: { silentMs: 1, everyMs: 1 } },
    })
    const id = await open()
    const answering = fetch(`${url}/session/${id}/message`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(say('@hold:here @say: At last')),
    })
    const response = await answering
    expect(response.status).toBe(200)
    expect(response.headers.get('x-tierline-task')).toMatch(/^tsk_/)
    await backend.holds.held('here')
    backend.holds.release('here')

    const text = await response.text()
    expect(text).toMatch(/^ +\{/)
    expect(JSON.parse(text)).toMatchObject({ parts: [{ text: 'At last' }] })

    const failing = call('POST', `/session/${id}/message`, say('@hold:there'))
    await backend.holds.held('there')
    const { data } = await orchestrator.tasks.list({ limit: 1 })
    await orchestrator.tasks.cancel(data[0]!.id)
    expect((await failing).json.info.error.name).toBe('MessageAbortedError')
  })

  test('logs what fails then for a mistake in the code, since the answer says no more', async ({
    api,
    core: { backend },
  }) => {
    const logged: string[] = []
    const logger = {
      warn: (_: object, message: string) => void logged.push(message),
      error: ({ err }: { err?: Error }, message: string) => void logged.push(`${message}: ${err?.message}`),
    }
    const broken = { ...backend, answerTo: () => Promise.reject(new TypeError('oops')) }
    const { call, open } = await api.start({
      http: { sessionPatience: { silentMs: 1, everyMs: 1 }, logger },
      core: { backends: [broken] },
    })
    const id = await open()
    const answering = call('POST', `/session/${id}/message`, say('@hold:here'))
    await backend.holds.held('here')
    backend.holds.release('here')

    const { status, json } = await answering
    expect(status).toBe(200)
    expect(json.info.error.data.message).toContain('its log says more')
    expect(logged).toEqual(['Request failed: oops'])
  })

  test('may mention an agent that only other agents call, and any other', async ({
    api,
    core: { backend },
  }) => {
    const { call, open } = await api.start()
    const id = await open()
    const mentions = ['explore', 'plan'].map((name) => ({ type: 'agent', name }))

    const { status } = await call('POST', `/session/${id}/message`, {
      parts: [{ type: 'text', text: 'Ask them' }, ...mentions],
    })

    expect(status).toBe(200)
    expect(backend.turns.at(-1)!.parts.slice(1)).toMatchObject(mentions)
    const { json } = await call('POST', `/session/${id}/message`, {
      parts: [{ type: 'agent', name: 'explor' }],
    })
    expect(json).toMatchObject({
      code: 'unknown_agent',
      detail: 'Cannot use the agent "explor": the OpenCode server has build, plan, explore',
      errors: [{ field: 'parts.0.name', given: 'explor', allowed: ['explore', 'plan', 'build'] }],
    })
  })

  test.for<[unknown, string, string]>([
    [{}, 'invalid_input', 'parts'],
    [{ parts: [] }, 'invalid_input', 'parts'],
    [[say('Hello')], 'invalid_input', 'body'],
    [{ parts: [{ type: 'txt', text: 'Hello' }] }, 'invalid_input', 'parts.0.type'],
    [say('Hello', { model: 'acme/nan' }), 'unknown_model', 'model'],
    [say('Hello', { model: 'nano' }), 'unknown_model', 'model'],
    [say('Hello', { agent: 'bild' }), 'unknown_agent', 'agent'],
    [say('Hello', { agent: 'explore' }), 'unknown_agent', 'agent'],
    [say('Hello', { messageID: 'mine' }), 'invalid_input', 'messageID'],
    [say('Hello', { noReply: true }), 'invalid_input', 'noReply'],
    [say('Hello', { format: {} }), 'unknown_field', 'format'],
    [say('Hello', { modelID: 'big' }), 'invalid_input', 'providerID'],
    [say('x'.repeat(50_000)), 'too_large', 'parts'],
    [say('x'.repeat(70_000)), 'too_large', 'body'],
  ])(
    'refuses bad input before it can poison the session (%#)',
    async ([body, code, field], { api, core }) => {
      const { call, open } = await api.start({
        core: {
          config: { ...core.config, limits: () => ({ ...core.config.limits(), maxPromptBytes: 40_000 }) },
        },
      })
      const id = await open()

      const { json } = await call('POST', `/session/${id}/message`, body)

      expect(json).toMatchObject({
        code,
        errors: [{ field }],
        name: 'BadRequest',
        data: { message: json.detail },
      })
      expect(core.backend.turns).toEqual([])
    },
  )

  test.for(['/session/ses_none/message', '/session/nope/prompt_async'])(
    'knows no session of %s',
    async (path, { api }) => {
      const { call } = await api.start()

      const { status, json } = await call('POST', path, say('Hello'))

      expect([status, json.name]).toEqual([404, 'NotFoundError'])
      expect(json.data.message).toMatch(/^Session not found: /)
    },
  )
})

describe('a busy session', () => {
  test('takes no message that says reject, of two that come together either', async ({
    api,
    core: { backend },
  }) => {
    const { call, open } = await api.start()
    const id = await open({ busy: 'reject' })

    const replies = await Promise.all(
      [1, 2].map(() => call('POST', `/session/${id}/prompt_async`, say('@hold:here'))),
    )
    expect(replies.map(({ status }) => status).sort()).toEqual([204, 409])
    const refused = replies.find(({ status }) => status === 409)!
    expect(refused.json).toMatchObject({ code: 'session_busy', name: 'ConflictError' })
    const queued = await call('POST', `/session/${id}/prompt_async`, say('Next', { busy: 'enqueue' }))
    expect(queued.status).toBe(204)
    await backend.holds.held('here')
    backend.holds.release('here')
    await eventually(() => expect(backend.turns).toHaveLength(2))
  })

  test('takes the same message again that it has already, which is not in its own way', async ({
    api,
    core: { backend },
  }) => {
    const { call, open } = await api.start()
    const id = await open({ busy: 'reject' })
    const send = (text: string) =>
      call('POST', `/session/${id}/prompt_async`, say(text, { messageID: 'msg_mine' }))

    const [first, again] = [await send('@hold:here'), await send('@hold:here')]
    expect([first.status, again.status]).toEqual([204, 204])
    expect((await send('Another')).json).toMatchObject({ code: 'idempotency_key_reused' })
    await backend.holds.held('here')
    backend.holds.release('here')
    expect(backend.turns).toHaveLength(1)
  })

  test('says so, and lists what waits', async ({ api, core: { backend } }) => {
    const { call, open } = await api.start()
    const id = await open()
    await call('POST', `/session/${id}/prompt_async`, say('@hold:here'))
    await backend.holds.held('here')
    await call(
      'POST',
      `/session/${id}/prompt_async`,
      say('Waits', { messageID: 'msg_waits', model: 'acme/big' }),
    )

    expect((await call('GET', '/session/status')).json).toEqual({ [id]: { type: 'busy' } })
    expect((await call('GET', `/session/${id}/message`)).json).toMatchObject([
      {
        info: { id: 'msg_waits', role: 'user', sessionID: id, model: { providerID: 'acme', modelID: 'big' } },
        parts: [{ type: 'text', text: 'Waits', messageID: 'msg_waits' }],
      },
    ])
    backend.holds.release('here')
    await eventually(async () => expect((await call('GET', '/session/status')).json).toEqual({}))
    expect((await call('GET', `/session/${id}/message`)).json).toEqual([])
  })

  test('is aborted with all that waits', async ({ api, core: { backend } }) => {
    const { call, open, orchestrator } = await api.start()
    const id = await open()
    const running = call('POST', `/session/${id}/message`, say('@hold:here'))
    await backend.holds.held('here')
    const waiting = call('POST', `/session/${id}/message`, say('Waits'))
    await eventually(async () => expect((await orchestrator.tasks.list({ limit: 10 })).data).toHaveLength(2))

    const { status, json } = await call('POST', `/session/${id}/abort`)

    expect([status, json]).toEqual([200, true])
    for (const answer of [await running, await waiting])
      expect([answer.status, answer.json.info.error.name]).toEqual([200, 'MessageAbortedError'])
    const { data } = await orchestrator.tasks.list({ limit: 10 })
    expect(data.map(({ state }) => state)).toEqual(['cancelled', 'cancelled'])
    expect(backend.turns).toHaveLength(1)
    expect((await call('POST', `/session/${id}/message`, say('Goes on'))).status).toBe(200)
  })

  test('is emptied before it is deleted, and takes nothing more', async ({ api, core: { backend } }) => {
    const { call, open } = await api.start()
    const id = await open()
    const running = call('POST', `/session/${id}/message`, say('@hold:here'))
    await backend.holds.held('here')

    expect((await call('DELETE', `/session/${id}`)).json).toBe(true)

    await running
    expect((await call('POST', `/session/${id}/message`, say('Hello'))).status).toBe(404)
  })
})

describe('PATCH /session/:id', () => {
  test('changes the model, and keeps it when the metadata is replaced', async ({ api }) => {
    const { call, open, asked } = await api.start()
    const id = await open({ model: 'acme/mini' })

    await call('PATCH', `/session/${id}`, { metadata: { mine: 1 } })
    expect((await call('GET', `/session/${id}`)).json).toMatchObject({
      model: { id: 'mini' },
      metadata: { mine: 1 },
    })
    await call('PATCH', `/session/${id}`, { model: 'acme/big' })

    await call('POST', `/session/${id}/message`, say('Hello'))
    expect(asked()).toEqual(['acme/big'])
  })
})
