import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startScriptedProvider } from '../provider/server.ts'
import { type OpenCodeServer, startOpenCodeServer } from '../setup/opencode-server.ts'
import { runCli, withDirectory } from './run-cli.ts'

describe('config check', () => {
  test('says that a good file is good', async () => {
    await withDirectory(async (cwd) => {
      await writeFile(join(cwd, 'tierline.yaml'), 'tiers:\n  fast: { models: [acme/nano] }\ndefault: fast\n')

      const { code, stdout, stderr } = await runCli(['config', 'check'], { cwd })

      expect([code, stdout]).toEqual([0, ''])
      expect(stderr).toContain('tierline.yaml is good')
    })
  })

  test('names line and column of what is wrong, and exits with 2', async () => {
    await withDirectory(async (cwd) => {
      await writeFile(
        join(cwd, 'my.yaml'),
        'tiers:\n  fast: { models: [acme/nano] }\nroutes:\n  lint: fats\n',
      )

      const { code, stdout } = await runCli(['config', 'check', 'my.yaml'], { cwd })
      const json = await runCli(['config', 'check', 'my.yaml', '--json'], { cwd })

      expect(code).toBe(2)
      expect(stdout).toMatch(/^my\.yaml:4:9: .*fats.*fast/m)
      expect(JSON.parse(json.stdout)).toMatchObject({ path: 'my.yaml', problems: [{ line: 4, column: 9 }] })
    })
  })

  test('warns of rules that can never match, with their line and by the keys of the environment', async () => {
    await withDirectory(async (cwd) => {
      const rules = 'rules:\n  - { when: { key: cj }, tier: fast }\n'
      await writeFile(join(cwd, 'my.yaml'), `tiers:\n  fast: { models: [acme/nano] }\n${rules}`)
      const check = (keys: string) =>
        runCli(['config', 'check', 'my.yaml'], { cwd, env: { TIERLINE_API_KEYS: keys } })

      expect(await check('ci:0123456789abcdef')).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(
          /^! my\.yaml:4:20: rules\.0\.when\.key: can never match.*nearest: ci$/m,
        ),
      })
      expect((await check('cj:0123456789abcdef')).stderr).not.toContain('never')
      const elsewhere = { TIERLINE_PORT: 'none' }
      expect(await runCli(['config', 'check', 'my.yaml'], { cwd, env: elsewhere })).toMatchObject({
        code: 0,
        stderr: 'my.yaml is good; no OpenCode is known, so nothing was asked of models and prices\n',
      })
    })
  })

  test('looks at the file that TIERLINE_CONFIG names', async () => {
    await withDirectory(async (cwd) => {
      const env = { TIERLINE_CONFIG: 'other.yaml' }

      expect((await runCli(['config', 'check'], { cwd, env })).stdout).toContain(
        'other.yaml:1:1: does not exist',
      )
    })
  })
})

describe('with an OpenCode', () => {
  let provider: Awaited<ReturnType<typeof startScriptedProvider>>
  let openCode: OpenCodeServer

  beforeAll(async () => {
    provider = await startScriptedProvider()
    openCode = await startOpenCodeServer({ providerUrl: provider.url })
  }, 120_000)

  afterAll(async () => {
    await openCode?.stop()
    await provider?.close()
  })

  const environment = () => ({
    OPENCODE_URL: openCode.url,
    OPENCODE_SERVER_USERNAME: openCode.username,
    OPENCODE_SERVER_PASSWORD: openCode.password,
  })

  test('config check warns by its models and prices, and says when it does not answer', async () => {
    await withDirectory(async (cwd) => {
      await writeFile(
        join(cwd, 'my.yaml'),
        `tiers: { fast: { models: [acme/nano] }, powerful: { models: [acme/big, acme/bigg] } }
budgets:
  - { scope: "tier:powerful", per: day, limitUsd: 0.4 }
  - { scope: "tier:fast", per: day, limitUsd: 0.4, onExceed: downgrade }
`,
      )
      const check = (env: Record<string, string>) => runCli(['config', 'check', 'my.yaml'], { cwd, env })

      expect(await check(environment())).toEqual({
        code: 0,
        stdout: '',
        stderr: `! tiers.powerful.models: "acme/bigg" is not offered by the OpenCode server; nearest: acme/big, acme/base, acme/mini, acme/nano, globex/tiny
! my.yaml:3:5: budgets.0: limitUsd is less than one step of acme/big may cost ($0.45): one task at a time, which may spend more
! my.yaml:4:5: budgets.1: onExceed: downgrade finds no cheaper tier, by the prices that are known now: it refuses instead
my.yaml is good
`,
      })
      const { stderr } = await check({ ...environment(), OPENCODE_SERVER_PASSWORD: 'wrong' })
      expect(stderr).toBe('my.yaml is good; OpenCode "s1" did not tell its models and prices\n')
    })
  })

  test('config init writes what it offers to a file that is good, and never over another', async () => {
    await withDirectory(async (cwd) => {
      const env = environment()
      const path = join(cwd, 'tierline.yaml')

      expect(await runCli(['config', 'init'], { cwd, env })).toMatchObject({ code: 0, stdout: `${path}\n` })
      expect(await readFile(path, 'utf8')).toContain('acme/nano')
      expect((await runCli(['config', 'check'], { cwd })).code).toBe(0)

      const again = await runCli(['config', 'init'], { cwd, env })
      expect(again.code).toBe(2)
      expect(again.stderr).toContain('it exists already')
    })
  })

  test('config init prints it for "-", and writes nothing', async () => {
    await withDirectory(async (cwd) => {
      const env = environment()
      const { code, stdout } = await runCli(['config', 'init', '-'], { cwd, env })

      expect(code).toBe(0)
      expect(await readdir(cwd)).toEqual([])
      await writeFile(join(cwd, 'tierline.yaml'), stdout)
      expect(stdout).toContain('acme/nano')
      // Where it will be is not known, so neither is the way to the schema.
      expect(stdout).not.toContain('$schema')
      expect((await runCli(['config', 'check'], { cwd })).code).toBe(0)
      const json = await runCli(['config', 'init', '-', '--json'], { cwd, env })
      expect(JSON.parse(json.stdout)).toEqual({ text: stdout })
    })
  })

  test('config init says what to do when no OpenCode is known', async () => {
    await withDirectory(async (cwd) => {
      const { code, stderr } = await runCli(['config', 'init'], { cwd })

      expect(code).toBe(2)
      expect(stderr).toContain('start everything with "npm start", or set OPENCODE_URL')
    })
  })
})
