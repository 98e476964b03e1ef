/** Limits of models, from a file to a real OpenCode and the requests that its provider sees. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import { startUp } from '../setup/tierline-up.ts'

const MINUTE_MS = 60_000
const BASH = '@tool bash {"command":"true","description":"nothing"}'

const system = startUp(
  `tiers:
  powerful: { models: [acme/big, acme/base] }
  counted: { models: [acme/mini] }
default: powerful
models:
  acme/big: { concurrency: 1 }
  acme/mini: { requestsPerMinute: 4 }
`,
  (home) => {
    mkdirSync(join(home.dir, 'elsewhere'))
    return { TIERLINE_DIRECTORIES: join(home.dir, 'elsewhere') }
  },
)

test('where the server works outside of the allowed directories a warning says so, and who names none is refused', async () => {
  const { home, up } = system
  const client = createClient({ url: up.ready.url })
  const said = up
    .chatter()
    .split('\n')
    .filter((line) => line.includes('OpenCode works in'))

  expect(said).toHaveLength(1)
  expect(said[0]).toContain(join(home.dir, 'project'))
  const named = {
    code: 'directory_not_allowed',
    errors: [{ field: 'directory', given: join(home.dir, 'project'), allowed: [elsewhere()] }],
  }
  await expect(client.enqueue({ prompt: 'anything' })).rejects.toMatchObject(named)
  for (const path of ['/find/file?query=x', '/file/content?path=x', '/session', '/event']) {
    const response = await fetch(`${up.ready.url}${path}`)
    expect([response.status, await response.json()]).toMatchObject([403, named])
  }
  const found = await fetch(`${up.ready.url}/find/file?query=x&directory=${encodeURIComponent(elsewhere())}`)
  expect([found.status, await found.json()]).toEqual([200, []])
})

test('one task at a time is on a model, and the others say what they wait for', {
  timeout: 240_000,
}, async () => {
  const { provider } = system.home
  const client = createClient({ url: system.up.ready.url })

  const tasks = await Promise.all(
    ['a', 'b', 'c'].map((name) =>
      client.enqueue({ prompt: `#task-slot @hold:slot @say: ${name}`, directory: elsewhere() }),
    ),
  )
  await provider.held('slot')

  await expect
    .poll(async () => (await waitsOf(client)).sort(), { timeout: 60_000 })
    .toEqual(Array(2).fill({ reason: 'limit', detail: 'acme/big: 1 of 1 running', until: null }))
  provider.release('slot')
  const results = await Promise.all(tasks.map((task) => task.result()))

  expect(results.map(({ state }) => state)).toEqual(Array(3).fill('succeeded'))
  const asked = provider.ledger.paid({ marker: 'task-slot', kind: 'answer' })
  expect(asked.map(({ model }) => model)).toEqual(Array(3).fill('acme/big'))
  for (const [index, { at }] of asked.slice(1).entries())
    expect(at).toBeGreaterThanOrEqual(asked[index]!.endedAt!)
})

test('a turn counts as one request until it is over, then as its steps', { timeout: 240_000 }, async () => {
  const { provider } = system.home
  const client = createClient({ url: system.up.ready.url })
  const submit = (prompt: string) => client.enqueue({ tier: 'counted', prompt, directory: elsewhere() })

  const long = await submit(`#task-long @hold:long\n${BASH}\n${BASH}\n@say: three steps`)
  await provider.held('long')
  // Two of four: the long one counts as one yet.
  expect((await (await submit('#task-short @say: one step')).result()).state).toBe('succeeded')
  provider.release('long')
  expect((await long.result()).state).toBe('succeeded')
  const begunAt = Date.now()
  const late = await submit('#task-late @say: too late')

  await expect.poll(() => waitsOf(client), { timeout: 60_000 }).toHaveLength(1)
  const [wait] = await waitsOf(client)
  expect(wait).toMatchObject({ reason: 'limit', detail: 'acme/mini: 4 of 4 requests this minute' })
  expect(wait!.until).toBeGreaterThan(begunAt)
  expect(wait!.until).toBeLessThan(Date.now() + 2 * MINUTE_MS)
  await late.cancel()
  expect(provider.ledger.entries({ marker: 'task-late' })).toEqual([])
})

function elsewhere(): string {
  return join(system.home.dir, 'elsewhere')
}

async function waitsOf(client: ReturnType<typeof createClient>) {
  const { data } = await client.list({ state: 'waiting' })
  return data.flatMap(({ waitingFor }) => (waitingFor === null ? [] : [waitingFor]))
}
