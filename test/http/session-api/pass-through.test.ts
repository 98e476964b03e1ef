import { describe, expect, test as plain } from 'vitest'
import { TierlineError } from '../../../src/errors.ts'
import { maskedConfig } from '../../../src/http/session-api/mask-config.ts'
import type { SessionBackend } from '../../../src/sessions/backend.ts'
import { createMemoryBackend } from '../../doubles/memory-backend.ts'
import { say, test } from './session-test.ts'

describe('the allow list', () => {
  test.for([
    ['POST', '/session/ses_1/shell'],
    ['POST', '/session/ses_1/command'],
    ['POST', '/session/ses_1/summarize'],
    ['POST', '/session/ses_1/init'],
    ['POST', '/session/ses_1/share'],
    ['PUT', '/session/ses_1'],
    ['DELETE', '/session/ses_1/message/msg_1'],
    ['POST', '/api/session/ses_1/prompt'],
    ['GET', '/api/session'],
    ['POST', '/pty'],
    ['PATCH', '/config'],
    ['PUT', '/auth/acme'],
    ['POST', '/vcs/apply'],
    ['POST', '/mcp'],
    ['POST', '/global/dispose'],
    ['POST', '/tui/submit-prompt'],
    ['POST', '/experimental/worktree'],
    ['GET', '/experimental/tool'],
    ['POST', '/instance/dispose'],
    ['POST', '/sync/history'],
    ['POST', '/project/git/init'],
  ])(
    'refuses %s %s, and OpenCode hears nothing of it',
    async ([method, path], { api, core: { backend } }) => {
      const { call } = await api.start()

      const { status, json } = await call(method!, path!, method === 'GET' ? undefined : {})

      expect([status, json.code, json.name]).toEqual([403, 'not_proxied', 'ForbiddenError'])
      expect(backend.forwarded).toEqual([])
    },
  )

  test.for(['%2e%2e%2fauth', '..%5cauth', 'per_1%3fdirectory=%2f', 'per_1%0a'])(
    'refuses "%s" as an id, and OpenCode hears nothing of it',
    async (id, { api, core: { backend } }) => {
      const { call } = await api.start()

      const { status, json } = await call('POST', `/permission/${id}/reply`, { reply: 'once' })

      expect([status, json.code]).toEqual([422, 'invalid_input'])
      expect(json.errors).toMatchObject([{ field: 'requestID', message: 'must be an id' }])
      expect(backend.forwarded).toEqual([])
    },
  )

  test('leaves paths that are nobody’s to tierline', async ({ api }) => {
    const { call } = await api.start()

    expect((await call('GET', '/nothing')).json).toMatchObject({ code: 'not_found' })
    expect((await call('GET', '/v1/nothing')).json).toMatchObject({ code: 'not_found' })
  })

  test('needs a key where there are any, as Basic too', async ({ api }) => {
    const { call } = await api.start({ http: { apiKeys: [{ name: 'ci', secret: 'geheim' }] } })
    const basic = (secret: string) => ({ authorization: `Basic ${btoa(`opencode:${secret}`)}` })

    expect((await call('GET', '/session')).status).toBe(401)
    expect((await call('POST', '/session/ses_1/shell', {})).status).toBe(401)
    expect((await call('GET', '/session', undefined, basic('falsch'))).status).toBe(401)
    expect((await call('GET', '/session', undefined, basic('geheim'))).status).toBe(200)
  })
})

describe('what is passed on', () => {
  test('goes to the session’s directory, whatever the client names', async ({ api, core: { backend } }) => {
    const { call } = await api.start()
    const { id } = (await call('POST', '/session?directory=/work')).json

    await call('GET', `/session/${id}/todo?directory=/other&limit=3`)

    expect(backend.forwarded.at(-1)).toMatchObject({
      method: 'GET',
      path: `/session/${id}/todo?limit=3&directory=%2Fwork`,
    })
  })

  test('goes to the server that has the session, or always has the directory', async ({ api }) => {
    const backends = [createMemoryBackend({ server: 's1' }), createMemoryBackend({ server: 's2' })]
    const { call } = await api.start({ core: { backends } })
    const directories = Array.from({ length: 12 }, (_, index) => `/work/${index}`)

    for (const directory of directories) {
      const { id } = (await call('POST', `/session?directory=${directory}`)).json
      await call('GET', `/agent?directory=${directory}`)
      const there = backends.find(({ sessions }) => sessions.some((one) => one.directory === directory))!
      expect(there.forwarded.at(-1)!.path).toBe(`/agent?directory=${encodeURIComponent(directory)}`)
      expect((await call('GET', `/session/${id}`)).status).toBe(200)
      expect(there.forwarded.at(-1)!.path).toContain(`/session/${id}`)
    }
    for (const { sessions } of backends) expect(sessions.length).toBeGreaterThan(0)
  })

  test('of a configuration holds no API key', async ({ api }) => {
    const { call } = await api.start()

    const { text, json } = await call('GET', '/config/providers')

    expect(text).not.toContain('key-of-acme')
    expect(json.providers).toMatchObject([{ id: 'acme', options: { apiKey: '[masked]' } }])
  })

  test('fails with a status while OpenCode is away', async ({ api, core: { backend } }) => {
    const { call } = await api.start()
    backend.setAway(true)

    const { status, json, headers } = await call('GET', '/agent')

    expect([status, json.code, headers.get('retry-after')]).toEqual([503, 'opencode_unavailable', '1'])
  })

  test('fails with a status when tierline stops while OpenCode is waited for', async ({ api, core }) => {
    const asked = Promise.withResolvers<void>()
    const backend: SessionBackend = {
      ...core.backend,
      forward: (_, signal) => {
        asked.resolve()
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
        })
      },
    }
    const { call, stop } = await api.start({ core: { backends: [backend] } })
    const opened = call('POST', '/session')
    await asked.promise
    await stop()

    expect(await opened).toMatchObject({ status: 503, json: { code: 'opencode_unavailable' } })
  })
})

describe('a directory', () => {
  const inside = {
    checkDirectory: async (directory: string, field: string) => {
      if (directory.startsWith('/work')) return directory
      throw new TierlineError('directory_not_allowed', `Cannot use the directory "${directory}"`, {
        errors: [{ field, message: 'is outside', given: directory }],
      })
    },
  }

  test.for([
    ['in the query', 'directory', '/session?directory=/etc', {}, {}],
    ['in the header', 'x-opencode-directory', '/session', {}, { 'x-opencode-directory': '%2Fetc' }],
    ['in the body', 'body.directory', '/session', { directory: '/etc' }, {}],
    ['in the query a second time', 'directory', '/session?directory=/work&directory=/etc', {}, {}],
  ] as const)(
    'outside of the allowed ones is refused %s',
    async ([, field, path, body, headers], { api, core }) => {
      const { call } = await api.start({ core: inside })

      const { json } = await call('POST', path, body, headers)

      expect(json).toMatchObject({ code: 'directory_not_allowed', status: 403, errors: [{ field }] })
      expect(core.backend.forwarded).toEqual([])
    },
  )

  test.for([
    ['GET', '/agent?directory=/etc'],
    ['GET', '/event?directory=/etc'],
    ['POST', '/session/ses_1/message?directory=/etc'],
    ['POST', '/session/ses_1/abort?directory=/etc'],
    ['POST', '/permission/per_1/reply?directory=/etc'],
  ])('is checked with %s %s', async ([method, path], { api, core }) => {
    const { call } = await api.start({ core: inside })

    const { json } = await call(method!, path!, method === 'POST' ? say('Hello') : undefined)

    expect(json.code).toBe('directory_not_allowed')
    expect(core.backend.forwarded).toEqual([])
  })

  test.for([
    ['encoded', encodeURIComponent('/work/größe')],
    ['as UTF-8', Buffer.from('/work/größe').toString('latin1')],
    ['as Latin-1', '/work/größe'],
  ] as const)('is understood in the header %s', async ([, header], { api, core }) => {
    const { call } = await api.start({ core: inside })

    await call('GET', '/agent', undefined, { 'x-opencode-directory': header })

    const { path } = core.backend.forwarded[0]!
    expect(new URL(path, 'http://memory').searchParams.get('directory')).toBe('/work/größe')
  })

  test('of a session that was opened elsewhere is checked too', async ({ api, core: { backend } }) => {
    const { call } = await api.start({ core: inside })
    const never = new AbortController().signal
    const { sessionID } = await backend.openSession(
      { taskID: 'x', title: 'x', model: 'acme/nano', directory: '/etc', mayExist: false },
      never,
    )

    for (const [method, path] of [
      ['GET', `/session/${sessionID}`],
      ['POST', `/session/${sessionID}/message`],
    ] as const)
      expect((await call(method, path, method === 'POST' ? say('Hello') : undefined)).json.code).toBe(
        'directory_not_allowed',
      )
  })

  test.for([
    ['POST', '/session'],
    ['GET', '/session'],
    ['GET', '/find/file?query=x'],
    ['GET', '/file/content?path=a.txt'],
    ['GET', '/config'],
    ['GET', '/path'],
    ['GET', '/event'],
    ['POST', '/permission/per_1/reply'],
  ])('that nobody names is the server’s, and checked with %s %s', async ([method, path], { api, core }) => {
    const { call } = await api.start({
      core: {
        checkOwnDirectory: () => async (directory, server) => {
          throw new TierlineError('directory_not_allowed', `Cannot use "${directory}" of "${server}"`, {
            errors: [{ field: 'directory', message: 'must be named', given: directory }],
          })
        },
      },
    })

    const { json } = await call(method!, path!, method === 'POST' ? {} : undefined)

    expect(json).toMatchObject({
      ...{ code: 'directory_not_allowed', status: 403, name: 'ForbiddenError' },
      errors: [{ field: 'directory', given: '/server' }],
    })
    expect(core.backend.forwarded).toEqual([])
    const { id } = (await call('POST', '/session?directory=/work')).json
    expect((await call('GET', `/session/${id}`)).status).toBe(200)
    await call('GET', '/global/health')
    expect(core.backend.forwarded.at(-1)!.path).toBe('/global/health')
  })

  test('that nobody names is not left by a link where some are not allowed', async ({ api, core }) => {
    const { call } = await api.start({
      core: {
        checkOwnDirectory: () => async (directory) => directory,
        checkFile: async (url, field) => {
          throw new TierlineError('directory_not_allowed', `Cannot use the file "${url}"`, {
            errors: [{ field, message: 'is outside' }],
          })
        },
      },
    })

    const { json } = await call('GET', '/file/content?path=link')

    expect(json).toMatchObject({ code: 'directory_not_allowed', errors: [{ field: 'path' }] })
    expect(json.detail).toBe('Cannot use the file "file:///server/link"')
    expect(core.backend.forwarded).toEqual([])
  })

  test('that is named twice must be the same', async ({ api }) => {
    const { call } = await api.start()

    const { json } = await call('POST', '/session?directory=/work', {}, { 'x-opencode-directory': '/other' })

    expect(json).toMatchObject({ code: 'invalid_input', errors: [{ field: 'x-opencode-directory' }] })
  })

  test.for(['../secret', '/etc/passwd', 'a/../../b', '..'])(
    'is not left by the path %s',
    async (path, { api, core }) => {
      const { call } = await api.start()

      for (const url of ['/file', '/file/content'])
        expect(
          (await call('GET', `${url}?directory=/work&path=${encodeURIComponent(path)}`)).json,
        ).toMatchObject({
          code: 'directory_not_allowed',
          errors: [{ field: 'path' }],
        })
      expect(core.backend.forwarded).toEqual([])
    },
  )

  test('is all that is chosen: no workspace', async ({ api }) => {
    const { call } = await api.start()

    expect((await call('GET', '/agent?workspace=wrk_1')).json).toMatchObject({ code: 'not_proxied' })
  })
})

plain('maskedConfig() hides what is or may be a secret, and nothing else', () => {
  const masked = maskedConfig({
    provider: {
      acme: {
        options: { apiKey: 'k', baseURL: 'https://user:pass@host/v1', headers: { 'x-team': 'secret' } },
        models: { nano: { limit: { context: 1 } } },
      },
    },
    mcp: { github: { environment: { GITHUB: 'x' }, command: ['npx', 'sk-abcdefghij'] } },
    keybinds: { leader: 'ctrl+x' },
    model: 'acme/nano',
    env: ['ACME_API_KEY'],
    credentials: { any: 'x', deep: { er: 'y' } },
  })

  expect(masked).toEqual({
    provider: {
      acme: {
        options: {
          apiKey: '[masked]',
          baseURL: 'https://user:[masked]@host/v1',
          headers: { 'x-team': '[masked]' },
        },
        models: { nano: { limit: { context: 1 } } },
      },
    },
    mcp: { github: { environment: { GITHUB: '[masked]' }, command: ['npx', 'sk-[masked]'] } },
    keybinds: { leader: 'ctrl+x' },
    model: 'acme/nano',
    env: ['ACME_API_KEY'],
    credentials: { any: '[masked]', deep: { er: '[masked]' } },
  })
})
