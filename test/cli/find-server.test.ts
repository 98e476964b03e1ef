/** Which server a command asks, and with which key. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findServer } from '../../src/cli/find-server.ts'
import { readClientSettings } from '../../src/config/client-settings.ts'
import { writeServices } from '../../src/services/services-file.ts'
import { type MemoryServer, startMemoryServer } from '../client/memory-server.ts'
import { runCli, withDirectory } from './run-cli.ts'

describe('findServer()', () => {
  const environment = { TIERLINE_HOST: '0.0.0.0', TIERLINE_PORT: '5500' }

  test('takes the flag before the environment before the running "up" before the default', async () => {
    await withDirectory(async (dataDir) => {
      const TIERLINE_DATA_DIR = dataDir
      expect(find({}, { TIERLINE_DATA_DIR })).toBe('http://127.0.0.1:4400')

      writeServices(dataDir, {
        api: { url: 'http://127.0.0.1:1234' },
        redis: { url: 'redis://x' },
        opencode: [],
      })
      expect(find({}, { TIERLINE_DATA_DIR })).toBe('http://127.0.0.1:1234')
      expect(find({ dataDir }, {})).toBe('http://127.0.0.1:1234')
      expect(find({}, { TIERLINE_DATA_DIR, TIERLINE_PORT: '0' })).toBe('http://127.0.0.1:1234')
      expect(find({}, { TIERLINE_DATA_DIR, ...environment })).toBe('http://127.0.0.1:5500')
      expect(find({ url: 'http://a' }, { TIERLINE_DATA_DIR, ...environment })).toBe('http://a')
    })
  })

  test.each([
    [{ TIERLINE_PORT: '5500' }, 'http://127.0.0.1:5500'],
    [{ TIERLINE_HOST: 'tierline.internal' }, 'http://tierline.internal:4400'],
    [{ TIERLINE_HOST: '::1' }, 'http://[::1]:4400'],
    [{ TIERLINE_HOST: '::' }, 'http://[::1]:4400'],
  ])('reads %j', (env, url) => {
    expect(find({}, env)).toBe(url)
  })
})

describe('readClientSettings()', () => {
  test('takes the first key', () => {
    expect(readClientSettings({ TIERLINE_API_KEYS: 'ci:first,board:second' }).apiKey).toBe('first')
  })

  test('is not troubled by what only a server needs', () => {
    expect(() =>
      readClientSettings({ REDIS_URL: 'x', OPENCODE_URL: '?', TIERLINE_DIRECTORIES: 'a' }),
    ).not.toThrow()
  })

  test('refuses keys it cannot read, without showing them', () => {
    expect(() => readClientSettings({ TIERLINE_API_KEYS: 's3cret' })).toThrow(
      /^((?!s3cret).)*TIERLINE_API_KEYS/,
    )
    expect(() => readClientSettings({ TIERLINE_API_KEYS_FILE: '/does/not/exist' })).toThrow(
      'TIERLINE_API_KEYS_FILE names a file that cannot be read',
    )
  })
})

describe('a command', () => {
  let server: MemoryServer

  beforeAll(async () => {
    server = await startMemoryServer({ apiKeys: [{ name: 'ci', secret: 's3cret' }] })
  })

  afterAll(() => server.close())

  test('sends the key from flag, environment or file', async () => {
    await withDirectory(async (directory) => {
      await writeFile(join(directory, 'keys'), 'ci:s3cret\n')
      const codes = await Promise.all([
        code([], {}),
        code(['--key', 's3cret'], {}),
        code([], { TIERLINE_API_KEYS: 'ci:s3cret' }),
        code([], { TIERLINE_API_KEYS_FILE: join(directory, 'keys') }),
      ])

      expect(codes).toEqual([2, 0, 0, 0])
    })
  })

  test('says which key is missing', async () => {
    const { stderr } = await runCli(['list', '--url', server.url])

    expect(stderr).toContain('Give the secret of an API key with --key or in TIERLINE_API_KEYS.')
  })

  async function code(args: string[], env: NodeJS.ProcessEnv): Promise<number | null> {
    return (await runCli(['list', '--url', server.url, ...args], { env })).code
  }
})

function find(flags: { url?: string; dataDir?: string }, env: NodeJS.ProcessEnv): string {
  return findServer(flags, readClientSettings({ TIERLINE_DATA_DIR: '/does/not/exist', ...env })).url
}
