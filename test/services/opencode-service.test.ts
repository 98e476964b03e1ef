import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { pretendDependencies } from '../../src/services/opencode-dependencies.ts'
import { openCodeService } from '../../src/services/opencode-service.ts'
import { test } from './service-test.ts'

describe('openCodeService()', () => {
  test('is a server that only its password opens, isolated from the user', async ({
    guardian,
    directory,
  }) => {
    const projectDir = join(directory, 'project')
    mkdirSync(projectDir)
    const { server, spec } = await openCodeService({
      dataDir: directory,
      projectDir,
      isolatedDir: join(directory, 'opencode'),
      environment: { ...process.env, OPENCODE_CONFIG_CONTENT: '{"username": "of the user"}' },
      config: { username: 'of the caller' },
    })
    await guardian.start(spec)
    const ask = async (path: string, password: string) =>
      await fetch(`${server.url}${path}`, {
        headers: { authorization: `Basic ${btoa(`${server.username}:${password}`)}` },
      })

    expect((await ask('/global/health', 'guessed')).status).toBe(401)
    expect(await (await ask('/config', server.password)).json()).toMatchObject({
      username: 'of the caller',
      snapshot: false,
      share: 'disabled',
      autoupdate: false,
    })
    expect(await (await ask('/path', server.password)).json()).toMatchObject({ directory: projectDir })
    expect(existsSync(join(directory, 'opencode', 'data', 'opencode'))).toBe(true)
    expect((await fetch(`${server.tapUrl}/session/ses_1`)).status).toBe(401)
  })

  test('passes on the keys of the user and nothing of ours', async ({ directory }) => {
    const { server, spec } = await openCodeService({
      dataDir: directory,
      projectDir: directory,
      name: 's2',
      environment: {
        PATH: process.env.PATH,
        HOME: directory,
        ANTHROPIC_API_KEY: 'key',
        XDG_DATA_HOME: '/home/user/.data',
        OPENCODE_CONFIG_CONTENT: '{"model": "acme/big"}',
        OPENCODE_SERVER_PASSWORD: 'another',
        TIERLINE_API_KEYS: 'a:secret',
        REDIS_URL: 'redis://:secret@redis',
      },
    })

    expect(spec.env).toEqual({
      PATH: process.env.PATH,
      HOME: directory,
      ANTHROPIC_API_KEY: 'key',
      XDG_DATA_HOME: '/home/user/.data',
      OPENCODE_CLIENT: 'cli',
      OPENCODE_CONFIG_CONTENT: expect.stringContaining('"model":"acme/big"'),
      OPENCODE_SERVER_USERNAME: server.username,
      OPENCODE_SERVER_PASSWORD: server.password,
      BUN_CONFIG_MAX_HTTP_REQUESTS: '1000',
      BUN_TMPDIR: join(directory, 'tmp', 'opencode-s2'),
    })
    expect(spec).toMatchObject({ name: 'opencode-s2', cwd: directory, secrets: [server.password] })
    expect(spec.args.join(' ')).not.toContain(server.password)
  })

  test('has a tap, unless OpenCode would have to install something for it', async ({ directory }) => {
    const plugin = 'file:///of/the/user.js'
    const options = {
      dataDir: directory,
      projectDir: directory,
      environment: {
        PATH: process.env.PATH,
        HOME: directory,
        OPENCODE_CONFIG_CONTENT: JSON.stringify({ plugin: [plugin] }),
      },
    }
    const without = await openCodeService(options)
    expect(without.server.tapUrl).toBeUndefined()
    expect(JSON.parse(without.spec.env.OPENCODE_CONFIG_CONTENT!).plugin).toEqual([plugin])

    pretendDependencies(join(directory, '.config', 'opencode'))
    const { server, spec } = await openCodeService(options)

    expect(server.tapUrl).toBe(`http://127.0.0.1:${spec.env.TIERLINE_TAP_PORT}`)
    const { plugin: plugins } = JSON.parse(spec.env.OPENCODE_CONFIG_CONTENT!)
    expect(plugins).toEqual([plugin, expect.stringMatching(/^file:.*opencode-tap\.ts$/)])
    expect(existsSync(new URL(plugins[1]))).toBe(true)
  })

  test('has a directory for what it leaves behind, empty at each start', async ({ directory }) => {
    const options = { dataDir: directory, projectDir: directory, environment: { PATH: process.env.PATH } }
    const { spec } = await openCodeService(options)
    writeFileSync(join(spec.env.BUN_TMPDIR!, 'library.so'), '')

    await openCodeService(options)
    expect(readdirSync(spec.env.BUN_TMPDIR!)).toEqual([])
  })
})
