/** What holds for every command, whatever it does. */
import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { type RudeServer, sendProblem, startRudeServer } from '../client/rude-server.ts'
import { runCli } from './run-cli.ts'

const COMMANDS = [
  ['up'],
  ['serve'],
  ['worker'],
  ['demo'],
  ['move'],
  ['submit'],
  ['watch'],
  ['get'],
  ['list'],
  ['cancel'],
  ['retry'],
  ['delete'],
  ['routes'],
  ['routes', 'explain'],
  ['models'],
  ['pause'],
  ['resume'],
  ['config', 'check'],
  ['config', 'init'],
]

describe('help', () => {
  test('lists every command', async () => {
    const { code, stdout, stderr } = await runCli(['--help'])

    expect([code, stderr]).toEqual([0, ''])
    for (const [name] of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'))
  })

  test.each(COMMANDS.map((words) => [words.join(' ')]))(
    'of "%s" shows --json and an example',
    async (command) => {
      const { code, stdout } = await runCli([...command.split(' '), '--help'])

      expect(code).toBe(0)
      expect(stdout).toContain('--json')
      expect(stdout).toContain(`Examples:\n`)
      expect(stdout.split('Examples:')[1]).toContain(`tierline ${command}`)
    },
  )

  test('is what no command gives, on stderr', async () => {
    const { code, stdout, stderr } = await runCli([])

    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('Usage: tierline')
  })

  test('tells the version', async () => {
    expect(await runCli(['--version'])).toMatchObject({ code: 0, stdout: `${manifest.version}\n` })
  })
})

describe('what is wrong on the command line', () => {
  test.each([
    [['lst'], 'Did you mean list?'],
    [['list', '--stat', 'failed'], 'Did you mean --state?'],
    [['list', '--state', 'faild'], 'Allowed choices are waiting, delayed'],
    [['list', '--limit', 'many'], 'It must be a whole number.'],
    [['worker', '--concurrency', '0'], 'It must be 1 or more.'],
    [['up', '--concurrency', '0'], 'It must be 1 or more.'],
    [['watch'], "missing required argument 'id'"],
    [['config', 'chek'], 'Did you mean check?'],
    [['submit', 'a', '--delay', '5'], 'It must be a length of time: 500ms, 30s, 5m, 2h, 1d.'],
    [['submit', 'a', '--metadata', 'team'], 'It must be key=value.'],
    [['submit', 'a', '--watch', '--wait'], 'cannot be used with option'],
    [['worker', '--tiers', 'fast,,'], 'It must be names separated by commas.'],
  ])('%j exits with 2 and says so', async (args, says) => {
    const { code, stdout, stderr } = await runCli(args)

    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(says)
  })
})

describe('an error', () => {
  let server: RudeServer

  beforeAll(async () => {
    server = await startRudeServer((_request, response) => {
      const errors = [
        { field: 'tier', message: 'is not known', given: 'fats', allowed: ['fast', 'balanced'] },
      ]
      const problem = { code: 'unknown_tier', detail: 'Cannot use tier "fats": \u001b[2Jgone', errors }
      sendProblem(response, 422, problem)
    })
  })

  afterAll(() => server.stop())

  test('shows what is wrong, what is allowed and what to do, and no stack', async () => {
    const { code, stdout, stderr } = await runCli(['submit', 'a', '--tier', 'fats', '--url', server.url])

    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toBe(
      [
        'error Cannot use tier "fats": gone',
        '  tier: is not known',
        '  tier may be: fast, balanced',
        'See the tiers with "tierline routes".',
        '',
      ].join('\n'),
    )
  })

  test('has no color where nobody looks, not even in CI', async () => {
    const { stderr } = await runCli(['submit', 'a', '--url', server.url], { env: { CI: 'true' } })

    expect(stderr).toMatch(/^error Cannot use tier/)
  })

  test('is JSON with --json', async () => {
    const { code, stdout, stderr } = await runCli(['submit', 'a', '--url', server.url, '--json'])

    expect([code, stdout]).toEqual([2, ''])
    expect(JSON.parse(stderr)).toMatchObject({
      error: {
        code: 'unknown_tier',
        retryable: false,
        errors: [{ field: 'tier', allowed: ['fast', 'balanced'] }],
      },
    })
  })

  test('shows its stack with LOG_LEVEL=debug only', async () => {
    const { stderr } = await runCli(['models', '--url', server.url], { env: { LOG_LEVEL: 'debug' } })

    expect(stderr).toContain('TierlineError: Cannot use tier')
    expect(stderr).toMatch(/^ +at /m)
  })

  test('about money exits with 3', async () => {
    server.answer((_request, response) =>
      sendProblem(response, 402, { code: 'budget_spent', detail: 'Cannot spend more today' }),
    )

    expect((await runCli(['submit', 'a', '--url', server.url])).code).toBe(3)
  })

  test('says how to start a server when there is none', async () => {
    const gone = await startRudeServer(() => {})
    await gone.stop()

    const { code, stderr } = await runCli(['list', '--url', gone.url])

    expect(code).toBe(2)
    expect(stderr).toContain(`Cannot reach tierline at "${gone.url}": connection refused`)
    expect(stderr).toContain('npm start')
  })
})

describe('an old Node', () => {
  const needs = 'tierline needs Node 22.18 or newer, and this is Node '

  test.each(['20.20.2', '22.17.1'])('%s is told what is needed', async (version) => {
    const disguise = `Object.defineProperty(process, 'versions', { value: { node: '${version}' } })`
    const nodeArgs = ['--import', `data:text/javascript,${encodeURIComponent(disguise)}`]
    const { code, stdout, stderr } = await runCli(['list'], { nodeArgs })

    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`${needs}${version}`)
    expect(stderr).toContain('npm run demo')
  })

  const system = systemNode()
  test.skipIf(system === undefined)('can read the file that tells it', async () => {
    const { code, stderr } = await runCli(['list'], { node: system! })

    expect(code).toBe(2)
    expect(stderr).toContain(needs)
  })
})

/** A Node outside of this project that is too old, if the machine has one. */
function systemNode(): string | undefined {
  const path = '/usr/bin/node'
  try {
    const [major] = execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).split('.')
    return Number(major) < 22 ? path : undefined
  } catch {
    return undefined
  }
}
