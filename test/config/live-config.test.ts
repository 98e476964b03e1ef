import {
  appendFile,
  mkdir,
  mkdtemp,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { CatalogSnapshot } from '../../src/catalog/catalog.ts'
import { createLiveConfig, type LiveConfig, type LiveConfigOptions } from '../../src/config/live-config.ts'
import { catalogOf } from '../routing/acme.ts'

const WAIT = { timeout: 20_000, interval: 20 }

let directory: string
let path: string
let live: LiveConfig | undefined

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tierline-live-'))
  path = join(directory, 'tierline.yaml')
})

afterEach(async () => {
  await live?.close()
  live = undefined
  await rm(directory, { recursive: true })
})

describe('createLiveConfig() with a file', () => {
  test('follows a file that is written over', async () => {
    await writeFile(path, tiers('acme/nano'))
    const config = await start()
    expect(config.status()).toEqual({ generation: 1, error: null })
    const seen = vi.fn()
    config.onChange(seen)

    await writeFile(path, tiers('acme/big'))

    await vi.waitFor(() => expect(config.status().generation).toBe(2), WAIT)
    expect(modelsOf(config)).toEqual(['acme/big'])
    expect(config.table()).toBe(config.current().table)
    expect(seen).toHaveBeenCalledExactlyOnceWith(config.current())
  })

  test('follows a file that is replaced by rename, as editors do', async () => {
    await writeFile(path, tiers('acme/nano'))
    const config = await start()

    await writeFile(`${path}.new`, tiers('acme/big'))
    await rename(`${path}.new`, path)

    await vi.waitFor(() => expect(modelsOf(config)).toEqual(['acme/big']), WAIT)
  })

  test('follows a link to a directory that is swapped, as Kubernetes does', async () => {
    for (const version of ['one', 'two']) await mkdir(join(directory, version))
    await writeFile(join(directory, 'one/tierline.yaml'), tiers('acme/nano'))
    await writeFile(join(directory, 'two/tierline.yaml'), tiers('acme/big'))
    await symlink('one', join(directory, '..data'))
    await symlink('..data/tierline.yaml', path)
    const config = await start()
    expect(modelsOf(config)).toEqual(['acme/nano'])

    await symlink('two', join(directory, '..next'))
    await rename(join(directory, '..next'), join(directory, '..data'))

    await vi.waitFor(() => expect(modelsOf(config)).toEqual(['acme/big']), WAIT)
  })

  test('keeps the last good one while the file is bad, says so once, and takes the next good one', async () => {
    await writeFile(path, tiers('acme/nano'))
    const onError = vi.fn()
    const config = await start({ onError })

    await writeFile(path, 'tiers: { fast: { models: [nano] } }')
    await vi.waitFor(() => expect(config.status().error).not.toBeNull(), WAIT)
    await config.reload()
    expect(config.status()).toEqual({
      generation: 1,
      error: expect.stringMatching(/tierline\.yaml:1:27: tiers\.fast\.models\.0: must be "provider\/model"/),
    })
    expect(modelsOf(config)).toEqual(['acme/nano'])
    expect(onError).toHaveBeenCalledOnce()

    await writeFile(path, tiers('acme/big'))
    await vi.waitFor(() => expect(config.status()).toEqual({ generation: 2, error: null }), WAIT)
  })

  test('counts no generation when the good text comes back, or nothing changed', async () => {
    await writeFile(path, tiers('acme/nano'))
    const config = await start()
    const seen = vi.fn()
    config.onChange(seen)

    await config.reload()
    await writeFile(path, 'tiers: {}')
    await config.reload()
    expect(config.status().error).not.toBeNull()
    await writeFile(path, tiers('acme/nano'))
    await config.reload()

    expect(config.status()).toEqual({ generation: 1, error: null })
    expect(seen).not.toHaveBeenCalled()
  })

  test('keeps what the file said when it disappears', async () => {
    await writeFile(path, tiers('acme/nano'))
    const config = await start()

    await unlink(path)

    await vi.waitFor(() => expect(config.status().error).toMatch(/does not exist/), WAIT)
    expect(modelsOf(config)).toEqual(['acme/nano'])
    expect(config.status().generation).toBe(1)
  })

  test('takes a file that comes back as it was, also one with the same times', async () => {
    await writeFile(path, tiers('acme/nano'))
    const config = await start()
    await rename(path, `${path}.away`)
    await vi.waitFor(() => expect(config.status().error).toMatch(/does not exist/), WAIT)

    await rename(`${path}.away`, path)

    await vi.waitFor(() => expect(config.status().error).toBeNull(), WAIT)
    expect(config.status().generation).toBe(1)
  })

  test('does not take what the check refuses, at first and later', async () => {
    const check: LiveConfigOptions['check'] = ({ directories }) => {
      if (directories.allow === null) throw new Error('directories.allow must be set')
    }
    await writeFile(path, tiers('acme/nano'))
    await expect(start({ check })).rejects.toThrow('directories.allow must be set')

    await writeFile(path, `${tiers('acme/nano')}directories: { allow: [/srv] }`)
    const config = await start({ check })
    await writeFile(path, tiers('acme/big'))
    await config.reload()

    expect(config.status()).toEqual({ generation: 1, error: 'directories.allow must be set' })
    expect(modelsOf(config)).toEqual(['acme/nano'])
  })

  test('goes on when a listener throws', async () => {
    await writeFile(path, tiers('acme/nano'))
    const [onError, second] = [vi.fn(), vi.fn()]
    const config = await start({ onError })
    config.onChange(() => {
      throw new Error('a listener broke')
    })
    const stop = config.onChange(second)
    await writeFile(path, tiers('acme/big'))
    await config.reload()

    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ message: 'a listener broke' }))
    expect(second).toHaveBeenCalledOnce()
    expect(config.status().error).toBeNull()

    stop()
    await writeFile(path, tiers('acme/base'))
    await config.reload()
    expect(second).toHaveBeenCalledOnce()
  })

  test('waits for a file that is still being written', async () => {
    await writeFile(path, tiers('acme/nano'))
    const config = await start()
    const seen: string[][] = []
    config.onChange(() => seen.push(modelsOf(config)))

    // Half of a file may be a good file that says something else. A time to come is as fresh as can be.
    const soon = new Date(Date.now() + 60_000)
    await writeFile(path, 'tiers:\n  fast:\n    models:\n      - acme/a\n')
    await utimes(path, soon, soon)
    const loaded = config.reload()
    // Longer than reading it takes.
    for (let i = 0; i < 50; i += 1) await stat(path)
    await appendFile(path, '      - acme/b\n')
    await loaded

    expect(seen).toEqual([['acme/a', 'acme/b']])
  })

  test.each([
    ['a bad file', async () => writeFile(path, 'tiers: {}'), /tiers: must name at least one tier/],
    ['a directory', async () => mkdir(path), /is not a file/],
    [
      'a file beyond 1 MiB',
      async () => writeFile(path, '#'.repeat(1024 * 1024 + 1)),
      /at most 1048576 are read/,
    ],
  ])('does not start with %s', async (_, prepare, message) => {
    await prepare()

    await expect(start()).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringMatching(message),
    })
  })

  test('does not start without a file that was named', async () => {
    await expect(start({ config: { path, explicit: true } })).rejects.toMatchObject({
      code: 'invalid_config',
      errors: [{ field: 'TIERLINE_CONFIG', given: path }],
    })
  })
})

describe('createLiveConfig() without a file', () => {
  test('derives tiers, and takes a file that appears', async () => {
    const config = await start()
    expect(config.table()).toMatchObject({ generation: 1, source: { kind: 'derived', path: null } })
    expect(config.limits().maxWaitingTasks).toBe(100_000)

    await writeFile(path, tiers('acme/big'))

    await vi.waitFor(() => expect(config.table().source).toEqual({ kind: 'file', path }), WAIT)
    expect(config.status()).toEqual({ generation: 2, error: null })
  })

  test('starts while the server is away, says so, and derives by itself when it is back', async () => {
    const catalog = vi.fn<() => Promise<CatalogSnapshot>>(async () => catalogOf(['acme/nano']))
    for (let i = 0; i < 2; i += 1) catalog.mockRejectedValueOnce(new Error('nobody answers'))
    const config = await start({ catalog })
    expect(config.status()).toEqual({
      generation: 1,
      error: 'Cannot derive tiers without a file: nobody answers',
    })
    // Not that it offers no model: nobody knows.
    expect(config.table().warnings).toEqual(['Cannot derive tiers without a file: nobody answers'])

    await vi.waitFor(() => expect(config.status()).toEqual({ generation: 2, error: null }), WAIT)
    expect(modelsOf(config)).toEqual(['acme/nano'])
  })

  test('follows what the server offers, and counts only changes', async () => {
    let offered = catalogOf(['acme/nano'])
    const config = await start({ catalog: async () => offered })

    await config.reload()
    expect(config.status().generation).toBe(1)
    offered = catalogOf(['acme/mini'])
    await config.reload()
    expect(config.status().generation).toBe(2)
    expect(modelsOf(config)).toEqual(['acme/mini'])
  })

  test('keeps its tiers while the server is away', async () => {
    const catalog = vi.fn(async () => catalogOf(['acme/nano']))
    const config = await start({ catalog })
    catalog.mockRejectedValueOnce(new Error('nobody answers'))
    await config.reload()

    expect(config.status()).toMatchObject({ generation: 1, error: expect.stringContaining('nobody answers') })
    expect(modelsOf(config)).toEqual(['acme/nano'])
  })
})

test('close() ends the watching, and leaves nothing that keeps the process alive', async () => {
  await writeFile(path, tiers('acme/nano'))
  const config = await start()
  await config.close()
  await writeFile(path, tiers('acme/big'))
  await config.reload()

  expect(modelsOf(config)).toEqual(['acme/nano'])
  expect(process.getActiveResourcesInfo()).not.toContain('StatWatcher')
})

async function start(options: Partial<LiveConfigOptions> = {}): Promise<LiveConfig> {
  live = await createLiveConfig({
    config: { path, explicit: false },
    catalog: async () => catalogOf(['acme/nano']),
    ...options,
  })
  return live
}

function tiers(model: string): string {
  return `tiers: { fast: { models: [${model}] } }\n`
}

function modelsOf(config: LiveConfig): string[] {
  return [...config.table().tiers[0]!.models]
}
