import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readSettings, secretsOf } from '../../src/config/settings.ts'
import type { Flags } from '../../src/config/variables.ts'
import { TierlineError } from '../../src/errors.ts'

const directory = mkdtempSync(join(tmpdir(), 'tierline-settings-'))
afterAll(() => rmSync(directory, { recursive: true }))

describe('readSettings()', () => {
  test('has a default for everything', () => {
    expect(readSettings({}, {}, '/srv/app')).toEqual({
      host: '127.0.0.1',
      port: 4400,
      config: { path: '/srv/app/tierline.yaml', explicit: false },
      dataDir: '/srv/app/.tierline',
      fsync: 'everysec',
      apiKeys: [],
      directories: null,
      namespace: undefined,
      redisUrl: undefined,
      openCode: [],
      logLevel: 'info',
      warnings: [],
    })
  })

  test('reads every variable', () => {
    const settings = readSettings(
      {
        TIERLINE_HOST: '0.0.0.0',
        TIERLINE_PORT: '0',
        TIERLINE_CONFIG: 'conf/t.yaml',
        TIERLINE_DATA_DIR: '/var/lib/tierline',
        TIERLINE_FSYNC: 'always',
        TIERLINE_API_KEYS: 'ci:0123456789abcdef, board:fedcba9876543210:with:colons',
        TIERLINE_DIRECTORIES: '/srv:/data/',
        TIERLINE_NAMESPACE: 'blue.1',
        REDIS_URL: 'redis://:hush@127.0.0.1:6379/2',
        OPENCODE_URL: 'http://a:4096/, big=https://me:p%40ss@b/oc',
        OPENCODE_SERVER_USERNAME: 'agent',
        OPENCODE_SERVER_PASSWORD: 'word',
        LOG_LEVEL: 'DEBUG',
      },
      {},
      '/srv/app',
    )

    expect(settings).toEqual({
      host: '0.0.0.0',
      port: 0,
      config: { path: '/srv/app/conf/t.yaml', explicit: true },
      dataDir: '/var/lib/tierline',
      fsync: 'always',
      apiKeys: [
        { name: 'ci', secret: '0123456789abcdef' },
        { name: 'board', secret: 'fedcba9876543210:with:colons' },
      ],
      directories: ['/srv', '/data/'],
      namespace: 'blue.1',
      redisUrl: 'redis://:hush@127.0.0.1:6379/2',
      openCode: [
        { name: 's1', url: 'http://a:4096', username: 'agent', password: 'word' },
        { name: 'big', url: 'https://b/oc', username: 'me', password: 'p@ss' },
      ],
      logLevel: 'debug',
      warnings: [],
    })
    expect(secretsOf(settings).sort()).toEqual(
      ['0123456789abcdef', 'fedcba9876543210:with:colons', 'hush', 'p@ss', 'word'].sort(),
    )
  })

  test('knows the whole password as a secret, and those of Sentinels and clusters', () => {
    const secrets = (url: string) => secretsOf(readSettings({ REDIS_URL: url }))

    expect(secrets('rediss+cluster://me:h%C3%BCsh@a:1,b:2')).toEqual(['h%C3%BCsh', 'hüsh'])
    expect(secrets('redis://me:hush@home@a')).toEqual(['hush@home'])
    expect(secrets('redis+sentinel://:hush@a,b/m?family=4&sentinelPassword=hu%24h')).toEqual([
      'hush',
      'hu%24h',
      'hu$h',
    ])
  })

  test('takes a flag before the environment before the default, and empty as not set', () => {
    const env = { TIERLINE_HOST: '::1', TIERLINE_PORT: '', TIERLINE_DATA_DIR: ' ', OPENCODE_URL: '' }

    expect(readSettings(env, { host: 'localhost', config: 'x.yaml' }, '/a')).toMatchObject({
      host: 'localhost',
      port: 4400,
      config: { path: '/a/x.yaml', explicit: true },
      dataDir: '/a/.tierline',
      openCode: [],
    })
    expect(readSettings(env, { host: undefined, port: 0 })).toMatchObject({ host: '::1', port: 0 })
  })

  test('does not change afterwards', () => {
    expect(() => Object.assign(readSettings({}), { port: 1 })).toThrow(TypeError)
  })

  test('reads secrets from the files that NAME_FILE names', () => {
    const keys = fileWith('keys', 'ci:0123456789abcdef\nboard:fedcba9876543210\n')
    const password = fileWith('password', '  hush\n')
    const settings = readSettings({
      TIERLINE_API_KEYS_FILE: keys,
      REDIS_URL_FILE: fileWith('redis', 'rediss://r:6380'),
      OPENCODE_URL_FILE: fileWith('opencode', 'http://a:1'),
      OPENCODE_SERVER_PASSWORD_FILE: password,
    })

    expect(settings.apiKeys.map(({ name }) => name)).toEqual(['ci', 'board'])
    expect(settings.redisUrl).toBe('rediss://r:6380')
    expect(settings.openCode).toEqual([
      { name: 's1', url: 'http://a:1', username: 'opencode', password: 'hush' },
    ])
  })

  test.each([
    'redis://h',
    'redis+cluster://:pw@a:7001,b:7002',
    'rediss+sentinel://a,b/mymaster/1',
    'rediss://u:p@h:1/2?family=6',
    'unix://:pw@/run/redis.sock?db=1',
    '/run/redis.sock',
  ])('takes %s as a Redis', (url) => {
    expect(readSettings({ REDIS_URL: url }).redisUrl).toBe(url)
  })

  test('warns of a variable that does not exist, with the nearest, and of a weak secret', () => {
    expect(
      readSettings({
        TIERLINE_DATADIR: 'x',
        TIERLINE_PORT_FILE: 'y',
        TIERLINE_API_KEYS: 'ci:short',
        HOME: '/',
      }).warnings,
    ).toEqual([
      'TIERLINE_DATADIR is not a variable of tierline and has no effect; nearest: TIERLINE_DATA_DIR',
      'TIERLINE_PORT_FILE is not a variable of tierline and has no effect; nearest: TIERLINE_PORT',
      'TIERLINE_API_KEYS: the secret of "ci" has fewer than 16 characters',
    ])
  })

  test('tells all that is wrong at once, each under its variable or flag', () => {
    const error = errorOf(
      { TIERLINE_HOST: 'http://x', TIERLINE_PORT: '99999', TIERLINE_NAMESPACE: '{a}', REDIS_URL: 'http://h' },
      { logLevel: 'loud' },
    )

    expect(error).toMatchObject({
      code: 'invalid_config',
      errors: [
        { field: 'TIERLINE_HOST', given: 'http://x' },
        { field: 'TIERLINE_PORT', message: 'must be a whole number from 0 to 65535', given: '99999' },
        { field: 'TIERLINE_NAMESPACE', given: '{a}' },
        { field: 'REDIS_URL', message: expect.stringContaining('redis://') },
        { field: '--log-level', given: 'loud', allowed: expect.arrayContaining(['info']) },
      ],
    })
    expect(error.message).toMatch(/^Cannot use the settings: TIERLINE_HOST must .* \(and 4 more\)$/)
  })

  test.each<[string, NodeJS.ProcessEnv, string, string]>([
    [
      'a port that is no number',
      { TIERLINE_PORT: '4400x' },
      'TIERLINE_PORT',
      'must be a whole number from 0 to 65535',
    ],
    ['a negative port', { TIERLINE_PORT: '-1' }, 'TIERLINE_PORT', 'must be a whole number from 0 to 65535'],
    [
      'a relative directory',
      { TIERLINE_DIRECTORIES: '/a:b' },
      'TIERLINE_DIRECTORIES',
      'must be absolute paths, separated by ":"',
    ],
    [
      'a key without a colon',
      { TIERLINE_API_KEYS: 'hushhush' },
      'TIERLINE_API_KEYS',
      'entry 1 must be "name:secret", and has no colon',
    ],
    [
      'a key without a name',
      { TIERLINE_API_KEYS: ':hushhush' },
      'TIERLINE_API_KEYS',
      'entry 1 must begin with a name of letters, digits, ".", "_" or "-"',
    ],
    [
      'a key without a secret',
      { TIERLINE_API_KEYS: 'ci:' },
      'TIERLINE_API_KEYS',
      'entry 1 has no secret after its colon',
    ],
    [
      'a secret with a blank',
      { TIERLINE_API_KEYS: 'ci:hush hush' },
      'TIERLINE_API_KEYS',
      'entry 1 has a blank in its secret',
    ],
    [
      'a name twice',
      { TIERLINE_API_KEYS: 'ci:hushhush,ci:hushhush2' },
      'TIERLINE_API_KEYS',
      'entry 2 has the name of an earlier one',
    ],
    [
      'a secret twice',
      { TIERLINE_API_KEYS: 'ci:hushhush,b:hushhush' },
      'TIERLINE_API_KEYS',
      'entry 2 has the secret of an earlier one',
    ],
    ['no keys at all', { TIERLINE_API_KEYS: ' , ' }, 'TIERLINE_API_KEYS', 'names no key'],
    ['no server at all', { OPENCODE_URL: ',' }, 'OPENCODE_URL', 'names no server'],
    ['no directory at all', { TIERLINE_DIRECTORIES: ':' }, 'TIERLINE_DIRECTORIES', 'names no directory'],
    [
      'an address that is no URL',
      { OPENCODE_URL: 'http://a,hushhush:4096' },
      'OPENCODE_URL',
      'entry 2 must be an http:// or https:// URL',
    ],
    [
      'a URL with a query',
      { OPENCODE_URL: 'http://u:hushhush@a?x=1' },
      'OPENCODE_URL',
      'entry 1 must have neither "?" nor "#"',
    ],
    [
      'a server twice',
      { OPENCODE_URL: 'a=http://a,a=http://b' },
      'OPENCODE_URL',
      'entry 2 has the name of an earlier one',
    ],
    [
      'a server name with a blank',
      { OPENCODE_URL: 'a b=http://a' },
      'OPENCODE_URL',
      'entry 1 must have a name of letters, digits, ".", "_" or "-"',
    ],
    [
      'a password that encodes nothing',
      { OPENCODE_URL: 'http://u:hushhush%zz@a' },
      'OPENCODE_URL',
      'entry 1 has a "%" in its user or password that encodes nothing',
    ],
    [
      'a Redis that is none',
      { REDIS_URL: 'hushhush@redis' },
      'REDIS_URL',
      'must be a redis://, rediss://, redis+sentinel://, redis+cluster:// or unix:// URL, or the path of a socket',
    ],
    [
      'a secret and its file',
      { REDIS_URL: 'redis://:hushhush@h', REDIS_URL_FILE: '/x' },
      'REDIS_URL',
      'is set, and REDIS_URL_FILE too: set one of them',
    ],
    [
      'a file that is not there',
      { REDIS_URL_FILE: '/nowhere/at/all' },
      'REDIS_URL_FILE',
      'names a file that cannot be read (ENOENT)',
    ],
    ['a file that is empty', { REDIS_URL_FILE: '/dev/null' }, 'REDIS_URL_FILE', 'names a file that is empty'],
  ])('refuses %s, and shows no secret', (_, env, field, message) => {
    const error = errorOf(env)

    expect(error.errors[0]).toMatchObject({ field, message })
    expect(JSON.stringify([error.message, error.errors])).not.toContain('hush')
  })
})

function errorOf(env: NodeJS.ProcessEnv, flags: Flags = {}): TierlineError {
  try {
    readSettings(env, flags)
  } catch (error) {
    if (error instanceof TierlineError) return error
    throw error
  }
  throw new Error('Expected a throw: nothing was thrown')
}

function fileWith(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}
