/** Rules by length, key and directory, from a file and over HTTP to the model that a real OpenCode asked. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import { runTierline } from '../setup/tierline-process.ts'
import { startUp } from '../setup/tierline-up.ts'

const SECRETS = { ci: '0123456789abcdef-ci', web: '0123456789abcdef-web' }
/** 20,000 tokens: more than the 15,000 that globex/tiny takes. */
const LONG = 'word '.repeat(16_000)

const system = startUp(fileWith(''), (home) => {
  writeFileSync(
    home.configFile,
    fileWith(`
  - { when: { promptTokens: { over: 30000 } }, model: globex/deep }
  - { when: { directory: ${join(home.dir, 'project')}, key: web }, model: acme/mini }
  - { when: { key: ci }, tier: powerful }
  - { when: { key: [ci], type: lint }, tier: fast }`),
  )
  return {
    TIERLINE_API_KEYS: Object.entries(SECRETS)
      .map((key) => key.join(':'))
      .join(','),
    TIERLINE_DIRECTORIES: home.dir,
    TIERLINE_DIRECTORY: home.dir,
  }
})

test('tasks go where the first rule that matches sends them', { timeout: 240_000 }, async () => {
  const { home, up } = system
  const [ci, web] = Object.values(SECRETS).map((apiKey) => createClient({ url: up.ready.url, apiKey })) as [
    ReturnType<typeof createClient>,
    ReturnType<typeof createClient>,
  ]
  const asked = async (marker: string, client: typeof ci, input: object) => {
    const task = await client.enqueue({ prompt: `#task-${marker} @say: done`, ...input })
    expect((await task.result()).state).toBe('succeeded')
    return home.provider.ledger.paid({ marker: `task-${marker}` }).map(({ model }) => model)
  }
  const long = (words: string) => `#task-${words.length} @say: done\n${words}`

  expect(await asked('key', ci, { type: 'lint' })).toEqual(['acme/big'])
  expect(await asked('none', web, { type: 'lint' })).toEqual(['globex/tiny'])
  expect(await asked('directory', web, { directory: join(home.dir, 'project') })).toEqual(['acme/mini'])
  expect(await asked(`${LONG.length}`, web, { prompt: long(LONG) })).toEqual(['acme/nano'])
  expect(await asked(`${2 * LONG.length}`, ci, { prompt: long(LONG + LONG) })).toEqual(['globex/deep'])
  await expect(web.enqueue({ prompt: LONG, model: 'globex/tiny' })).rejects.toMatchObject({
    code: 'prompt_too_long',
    message: expect.stringContaining('globex/tiny takes 15000'),
  })

  const explain = (...args: string[]) =>
    runTierline(home, ['routes', 'explain', '--url', up.ready.url, '--key', SECRETS.web, ...args])
  expect((await explain('--type', 'lint', '--as', 'ci')).stdout).toMatch(
    /rules\.0 +does not match: about 2 tokens, not over 30000\n.*rules\.1 +does not match: key ci, not key web; no directory.*\n.*rules\.2 +tier powerful: key ci\n.*rules\.3 +matches too, after rules\.2: type lint, key ci\n/,
  )
  expect((await explain('--type', 'lint')).stdout).toContain('→ fast → globex/tiny')

  const warning = 'tierline.yaml:10:5: rules.3: can never match: rules.2 before it matches all of it'
  expect((await web.routes()).warnings).toEqual([warning, expect.stringContaining('"acme/bigg"')])

  writeFileSync(home.configFile, fileWith('\n  - { when: { key: ci }, model: acme/mini }'))
  await expect.poll(async () => (await web.routes()).generation, { timeout: 60_000 }).toBe(2)
  expect(await asked('reloaded', ci, { type: 'lint' })).toEqual(['acme/mini'])

  // By API and workers together, and by the next version only what is new.
  const said = up.chatter().split('\n')
  for (const once of [warning, 'acme/bigg', 'TIERLINE_DIRECTORY is not'])
    expect(said.filter((line) => line.includes(once))).toHaveLength(1)
})

function fileWith(rules: string): string {
  return `tiers:
  fast: { models: [globex/tiny, acme/nano] }
  powerful: { models: [acme/big, acme/bigg] }
routes: { lint: fast }
default: fast
rules:${rules}
`
}
