import { expect, test } from 'vitest'
import { TierlineError } from '../../src/errors.ts'
import { createOwnDirectories } from '../../src/operations/own-directories.ts'
import { createMemoryBackend } from '../doubles/memory-backend.ts'

const MINUTE_MS = 60_000
const NEVER = new AbortController().signal

test('asks nobody where any directory may be used', async () => {
  const { own, asked, backend } = make({ check: () => null })

  expect(own.checkAll()).toBeUndefined()
  expect(await own.check(backend, NEVER)).toBeUndefined()
  expect(asked()).toBe(0)
})

test('a server is asked once by all that come at once, and again after a minute, which nobody waits for', async () => {
  const { own, asked, backend, at } = make()

  await Promise.all([own.checkAll(), own.checkAll(), own.check(backend, NEVER)])
  await own.checkAll()
  expect(asked()).toBe(1)

  at(MINUTE_MS + 1)
  backend.move('/elsewhere')
  expect(await own.of(backend, NEVER)).toBe('/real/server')
  expect(asked()).toBe(2)
  expect(await own.of(backend, NEVER)).toBe('/real/elsewhere')
  expect(asked()).toBe(2)
})

test('the last answer holds while the server is away, and without one nothing is let through', async () => {
  const { own, backend, at } = make()

  backend.setAway(true)
  await expect(own.checkAll()).rejects.toMatchObject({ code: 'opencode_unavailable' })
  backend.setAway(false)
  await own.checkAll()
  backend.setAway(true)
  at(MINUTE_MS + 1)

  expect(await own.of(backend, NEVER)).toBe('/real/server')
  expect(await own.of(backend, NEVER)).toBe('/real/server')
})

test('a task may go to any server, so all of them are checked; a request only goes to one', async () => {
  const [inside, outside] = [createMemoryBackend({ server: 's1' }), createMemoryBackend({ server: 's2' })]
  const own = createOwnDirectories({
    backends: [inside, outside],
    check: () => async (directory, server) => {
      if (server === 's1') return directory
      throw new TierlineError('directory_not_allowed', 'Cannot use it')
    },
  })

  await expect(own.checkAll()).rejects.toMatchObject({ code: 'directory_not_allowed' })
  expect(await own.check(inside, NEVER)).toBe('/server')
  await expect(own.check(outside, NEVER)).rejects.toMatchObject({ code: 'directory_not_allowed' })
})

test('who goes away does not wait for a server that does not answer', async () => {
  const { own, backend } = make({ ownDirectory: () => new Promise<string>(() => {}) })
  const gone = new AbortController()

  const waiting = own.check(backend, gone.signal)
  gone.abort(new Error('gone'))

  await expect(waiting).rejects.toThrow('gone')
})

function make({
  check = () => async (directory: string) => `/real${directory}`,
  ownDirectory,
}: {
  check?: Parameters<typeof createOwnDirectories>[0]['check']
  ownDirectory?: () => Promise<string>
} = {}) {
  let asked = 0
  let directory = '/server'
  let time = 0
  const memory = createMemoryBackend()
  const backend = {
    ...memory,
    ownDirectory: async () => {
      asked += 1
      await memory.ownDirectory()
      return ownDirectory?.() ?? directory
    },
    move(next: string) {
      directory = next
    },
  }
  const at = (next: number) => {
    time = next
  }
  const own = createOwnDirectories({ backends: [backend], check }, () => time)
  return { own, backend, asked: () => asked, at }
}
