/** `submit`, with what it does after: `--wait`, `--watch`. */
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type MemoryServer, startMemoryServer, textDelta } from '../client/memory-server.ts'
import { type CliRun, runCli, startCli, withDirectory } from './run-cli.ts'

const ID = /^tsk_[0-9a-z]{26}$/

const PARENT = 'tsk_01k0000000000000000000000a'

let server: MemoryServer
/** Every input that was submitted, as the server got it. */
const inputs: unknown[] = []

beforeAll(async () => {
  server = await startMemoryServer()
  const { accept } = server.ports.tasks
  server.ports.tasks.accept = (input, caller) => {
    inputs.push(input)
    return accept(input, caller)
  }
})

afterAll(() => server.close())

describe('submit', () => {
  test('prints the id on stdout, the rest on stderr', async () => {
    const { code, stdout, stderr } = await runCli(['submit', '--type', 'lint', 'Find dead code', ...at()])

    expect(code).toBe(0)
    expect(stdout.trim()).toMatch(ID)
    expect(stderr).toContain('lint → fast → acme/nano')
    expect(stderr).toContain(`tierline watch ${stdout.trim()} --url ${server.url}`)
  })

  test('through npm its paths are those of where npm was called, and what it says to type works there', async () => {
    const checkout = resolve(import.meta.dirname, '../..')
    await withDirectory(async (directory) => {
      await writeFile(join(directory, 'prompt.md'), 'from a file')
      const env = {
        npm_package_name: 'tierline',
        npm_package_json: join(checkout, 'package.json'),
        INIT_CWD: directory,
      }
      const run = (...args: string[]) => runCli([...args, ...at()], { cwd: checkout, env })

      const { stdout, stderr } = await run('submit', '--dir', '.', '--file', 'prompt.md')

      expect(inputs.at(-1)).toMatchObject({ directory, prompt: 'from a file' })
      const command = `npm --prefix ${checkout} run tierline --`
      expect(stderr).toContain(`Watch it: ${command} watch ${stdout.trim()} --url ${server.url}`)
      expect((await run('pause', 'fast')).stderr).toContain(`"${command} resume fast --url ${server.url}"`)
      expect((await run('get', PARENT)).stderr).toContain(`See the tasks there are with "${command} list".`)
    })
  })

  test('makes a task of its flags', async () => {
    await runCli(
      [
        ...[
          'submit',
          'one',
          '--message',
          'two',
          '--message',
          'three',
          '--type',
          'lint',
          '--tier',
          'powerful',
        ],
        ...[
          '--model',
          'acme/big',
          '--dir',
          'sub',
          '--session',
          'ses_1',
          '--title',
          'A title',
          '--agent',
          'plan',
          '--priority',
          '3',
        ],
        ...[
          '--parent',
          PARENT,
          '--isolation',
          'worktree',
          '--delay',
          '1.5s',
          '--queue-timeout',
          '5m',
          '--timeout',
          '10m',
          '--metadata',
          'a=1',
          '--metadata',
          'b=x=y',
        ],
        ...['--idempotency-key', 'k-1', ...at()],
      ],
      { cwd: tmpdir() },
    )

    expect(inputs.at(-1)).toEqual({
      type: 'lint',
      tier: 'powerful',
      model: 'acme/big',
      messages: [{ text: 'one' }, { text: 'two' }, { text: 'three' }],
      directory: resolve(tmpdir(), 'sub'),
      sessionID: 'ses_1',
      isolation: 'worktree',
      parentTaskID: PARENT,
      title: 'A title',
      agent: 'plan',
      priority: 3,
      delayMs: 1500,
      queueTimeoutMs: 300_000,
      timeoutMs: 600_000,
      metadata: { a: '1', b: 'x=y' },
      idempotencyKey: 'k-1',
    })
  })

  test.each([
    ['-', ['-']],
    ['--file -', ['--file', '-']],
    ['no prompt at all', []],
  ])('reads the prompt from stdin with %s', async (_what, args) => {
    await runCli(['submit', ...args, ...at()], { stdin: 'from a pipe\n' })

    expect(inputs.at(-1)).toMatchObject({ prompt: 'from a pipe\n' })
  })

  test('reads the prompt from a file', async () => {
    await withDirectory(async (directory) => {
      await writeFile(join(directory, 'prompt.md'), '# Do it')

      await runCli(['submit', '--file', 'prompt.md', ...at()], { cwd: directory })
    })

    expect(inputs.at(-1)).toMatchObject({ prompt: '# Do it' })
  })

  test.each([
    [[], 'Cannot submit: no prompt is given'],
    [['a', '--file', 'b'], 'Cannot submit: a prompt and --file are given'],
    [['--file', '/does/not/exist'], 'Cannot read the prompt from "/does/not/exist"'],
    [['a', '--tier', 'fats'], 'tier may be: fast, balanced, powerful'],
  ])('with %j exits with 2', async (args, says) => {
    const { code, stdout, stderr } = await runCli(['submit', ...args, ...at()])

    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(says)
  })

  test('takes --directory for --dir, as the field is called', async () => {
    await runCli(['submit', 'a', '--directory', '/srv', ...at()])

    expect(inputs.at(-1)).toMatchObject({ directory: '/srv' })
  })

  test('prints the task with --json', async () => {
    const { stdout, stderr } = await runCli(['submit', 'a', '--json', ...at()])

    expect(JSON.parse(stdout)).toMatchObject({ id: expect.stringMatching(ID), state: 'waiting' })
    expect(stderr).toBe('')
  })
})

describe('submit --wait', () => {
  test('prints the answer and nothing else on stdout', async () => {
    const run = startCli(['submit', 'a', '--wait', ...at()])
    server.ports.finish(await idOf(run), 'succeeded', { text: 'The \u001b[31manswer' })

    const { code, stdout, stderr } = await run.ended
    expect([code, stdout]).toEqual([0, 'The answer\n'])
    expect(stderr).toMatch(/succeeded {2}0 tokens {2}\$0\n$/)
  })

  test('exits with 1 when the task fails, and says why', async () => {
    const run = startCli(['submit', 'a', '--wait', ...at()])
    const error = { code: 'turn_failed', message: 'the model gave up', retryable: false }
    server.ports.finish(await idOf(run), 'failed', { error })

    const { code, stdout, stderr } = await run.ended
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('turn_failed: the model gave up')
  })

  test('prints the outcome with --json', async () => {
    const run = startCli(['submit', 'a', '--wait', '--json', ...at()])
    server.ports.finish(await newestTask(), 'succeeded', { text: 'b' })

    const { stdout, stderr } = await run.ended
    expect(JSON.parse(stdout)).toMatchObject({ state: 'succeeded', result: { text: 'b' } })
    expect(stderr).toBe('')
  })

  test('leaves the task running at Ctrl-C', async () => {
    const run = startCli(['submit', 'a', '--wait', ...at()])
    const id = await idOf(run)
    run.child.kill('SIGINT')

    const { code, stdout, stderr } = await run.ended
    expect([code, stdout]).toEqual([130, ''])
    expect(stderr).toContain(`watch it again: tierline watch ${id}`)
    expect((await server.ports.tasks.get(id)).state).toBe('waiting')
  })
})

describe('submit --watch', () => {
  test('writes the text to stdout as it comes, and the story to stderr', async () => {
    const run = startCli(['submit', 'a', '--watch', ...at()])
    const id = await idOf(run)
    server.ports.push(id, { type: 'attempt-started' })
    server.ports.push(id, textDelta('hel'))
    await vi.waitFor(() => expect(run.stdout).toBe('hel'), 30_000)
    server.ports.push(id, textDelta('lo', { offset: 3 }))
    server.ports.push(id, textDelta('\u001b[2Jbye', { partID: 'prt_2' }))
    server.ports.finish(id, 'succeeded')

    const { code, stdout, stderr } = await run.ended
    expect([code, stdout]).toEqual([0, 'hello\n\nbye\n'])
    expect(stderr).toContain('balanced → acme/base')
    expect(stderr).toContain('started\n')
    expect(stderr).toMatch(/succeeded .*\n$/)
  })

  test('gives each event as a line of JSON with --json', async () => {
    const run = startCli(['submit', 'a', '--watch', '--json', ...at()])
    server.ports.finish(await newestTask(), 'cancelled')

    const { code, stdout, stderr } = await run.ended
    const types = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).type)
    expect(types).toEqual(['task-queued', 'task-routed', 'task-finished', 'end'])
    expect([code, stderr]).toEqual([1, ''])
  })

  test('says when text that was shown does not count', async () => {
    const run = startCli(['submit', 'a', '--watch', ...at()])
    const id = await idOf(run)
    server.ports.push(id, textDelta('wrong'))
    server.ports.push(id, { type: 'text-discarded', messageID: 'msg_1', partID: 'prt_1', reason: 'retry' })
    server.ports.finish(id, 'succeeded')

    expect((await run.ended).stderr).toContain('text already shown belongs to no answer (retry)')
  })

  test('ends quietly when nobody reads any more', async () => {
    const run = startCli(['submit', 'a', '--watch', ...at()])
    const id = await idOf(run)
    run.child.stdout.destroy()
    // The first write may still fit into the pipe.
    const pushing = setInterval(() => server.ports.push(id, textDelta('more ')), 50)

    const { code, stderr } = await run.ended.finally(() => clearInterval(pushing))
    expect(code).toBe(0)
    expect(stderr).not.toContain('EPIPE')
  })
})

function at(): string[] {
  return ['--url', server.url]
}

/** Of the task that a run tells about on stderr. */
async function idOf(run: CliRun): Promise<string> {
  return vi.waitFor(() => {
    const id = /tsk_[0-9a-z]{26}/.exec(run.stderr)?.[0]
    if (id === undefined) throw new Error(`Expected an id: ${run.stderr}`)
    return id
  }, 30_000)
}

/** The next task to be submitted. */
async function newestTask(): Promise<string> {
  const before = inputs.length
  await vi.waitFor(() => expect(inputs.length).toBe(before + 1), 30_000)
  const { data } = await server.ports.tasks.list({ limit: 1 })
  return data[0]!.id
}
