/** `watch` in a real terminal and on tasks that are over. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type MemoryServer, startMemoryServer, textDelta } from '../client/memory-server.ts'
import { BIN, runCli } from './run-cli.ts'

let server: MemoryServer

beforeAll(async () => {
  server = await startMemoryServer()
})

afterAll(() => server.close())

describe('watch', () => {
  test('shows a task that is over from its start', async () => {
    const { id } = await server.ports.tasks.submit({ prompt: 'a' })
    server.ports.push(id, textDelta('hello'))
    server.ports.finish(id, 'succeeded')

    expect(await runCli(['watch', id, '--url', server.url])).toMatchObject({ code: 0, stdout: 'hello\n' })
  })

  test('shows the result of a task whose log is gone', async () => {
    const { id } = await server.ports.tasks.submit({ prompt: 'a' })
    server.ports.finish(id, 'succeeded', { text: 'the answer' })
    server.ports.trim(id, 100)

    expect(await runCli(['watch', id, '--url', server.url])).toMatchObject({
      code: 0,
      stdout: 'the answer\n',
    })
    expect(await runCli(['watch', id, '--url', server.url, '--json'])).toMatchObject({ code: 2, stdout: '' })
  })

  test('tells of a hole in the log', async () => {
    const { id } = await server.ports.tasks.submit({ prompt: 'a' })
    server.ports.trim(id, 2)
    server.ports.finish(id, 'succeeded')

    expect((await runCli(['watch', id, '--url', server.url])).stderr).toContain('events 1 to 2 are gone')
  })
})

// "script" of util-linux gives a terminal; that of other systems takes other arguments.
describe.skipIf(process.platform !== 'linux')('watch in a terminal', () => {
  test('draws while it runs, and leaves the whole answer', async () => {
    const { id } = await server.ports.tasks.submit({ type: 'lint', prompt: 'a' })
    const terminal = openTerminal(['watch', id, '--url', server.url])
    await vi.waitFor(() => expect(terminal.text()).toContain('waiting  0 tokens'), 30_000)
    server.ports.push(id, { type: 'attempt-started' })
    server.ports.push(id, textDelta('hel'))
    await vi.waitFor(() => expect(terminal.text()).toContain('running  ~1 tokens'), 30_000)
    server.ports.push(id, textDelta('lo\u001b]0;evil\u0007', { offset: 3 }))
    server.ports.finish(id, 'succeeded')

    expect(await terminal.exitCode).toBe(0)
    expect(terminal.raw()).not.toContain('evil')
    expect(terminal.raw()).toContain('\u001b[32msucceeded\u001b[39m')
    // Hidden while drawing.
    expect(terminal.raw().lastIndexOf('\u001b[?25h')).toBeGreaterThan(
      terminal.raw().lastIndexOf('\u001b[?25l'),
    )
    expect(terminal.text()).toMatch(
      new RegExp(`${id} {2}lint → fast → acme/nano\\s+hello\\s+succeeded  0 tokens  \\$0`),
    )
  })

  test('leaves the task running at Ctrl-C, and shows the cursor again', async () => {
    const { id } = await server.ports.tasks.submit({ prompt: 'a' })
    const terminal = openTerminal(['watch', id, '--url', server.url])
    await vi.waitFor(() => expect(terminal.text()).toContain('waiting'), 30_000)
    terminal.type('\u0003')

    expect(await terminal.exitCode).toBe(130)
    expect(terminal.text()).toContain(`watch it again: tierline watch ${id}`)
    expect(terminal.raw().lastIndexOf('\u001b[?25h')).toBeGreaterThan(
      terminal.raw().lastIndexOf('\u001b[?25l'),
    )
    expect((await server.ports.tasks.get(id)).state).toBe('waiting')
  })

  test.each([
    ['NO_COLOR', { NO_COLOR: '1' }],
    ['a dumb terminal', { TERM: 'dumb' }],
  ])('has no color with %s', async (_what, env) => {
    const { id } = await server.ports.tasks.submit({ prompt: 'a' })
    server.ports.finish(id, 'succeeded')
    const terminal = openTerminal(['watch', id, '--url', server.url], env)

    expect(await terminal.exitCode).toBe(0)
    expect(terminal.text()).toContain('succeeded')
    expect(terminal.raw()).not.toMatch(/\u001b\[3\dm/)
  })
})

function openTerminal(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const command = ['stty cols 100 rows 30;', process.execPath, BIN, ...args].join(' ')
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TERM: 'xterm-256color', ...env },
  })
  let raw = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    raw += text
  })
  return {
    raw: () => raw,
    text: () => stripVTControlCharacters(raw),
    type: (keys: string) => child.stdin.write(keys),
    exitCode: once(child, 'close').then(([code]) => code as number | null),
  }
}
