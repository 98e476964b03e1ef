/** `retry --all` and `cancel --all`. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { TierlineError } from '../../src/errors.ts'
import type { TaskPort } from '../../src/http/ports.ts'
import { type MemoryServer, startMemoryServer } from '../client/memory-server.ts'
import { runCli } from './run-cli.ts'

let server: MemoryServer

beforeAll(async () => {
  server = await startMemoryServer()
})

afterAll(() => server.close())

describe('retry --all', () => {
  test('retries the failed ones that fit, and no other', async () => {
    const run = randomUUID()
    const lint = [await failed(run, 'lint'), await failed(run, 'lint'), await failed(run, 'lint')]
    const others = [await failed(run, 'review'), await cancelled(run), await waiting(run)]

    const { code, stdout, stderr } = await cli('retry', '--all', '--type', 'lint', ...ofRun(run))

    expect([code, stderr]).toEqual([0, '3 tasks retried.\n'])
    expect(stdout.trimEnd().split('\n').sort()).toEqual(lint.map((id) => `${id}  waiting`).sort())
    expect(await statesOf(others)).toEqual(['failed', 'cancelled', 'waiting'])
  })

  test('takes another state', async () => {
    const run = randomUUID()
    const ids = [await failed(run), await cancelled(run)]

    await cli('retry', '--all', '--state', 'cancelled', ...ofRun(run))

    expect(await statesOf(ids)).toEqual(['failed', 'waiting'])
  })

  test('takes a time of 0 for what it says, and not for none', async () => {
    const run = randomUUID()
    const id = await failed(run)

    expect((await cli('retry', '--all', '--since', '0s', ...ofRun(run))).stderr).toBe('No such tasks.\n')
    expect(await statesOf([id])).toEqual(['failed'])
  })

  test('says with --dry-run what it would do, and does nothing', async () => {
    const run = randomUUID()
    const id = await failed(run)

    expect(await cli('retry', '--all', '--dry-run', ...ofRun(run))).toEqual({
      code: 0,
      stdout: `${id}  failed\n`,
      stderr: '1 task would be retried; nothing was done.\n',
    })
    expect(await statesOf([id])).toEqual(['failed'])
  })

  test('goes on behind those that somebody else retried or that are refused, and counts them', async () => {
    const run = randomUUID()
    const ids = [await failed(run), await failed(run), await failed(run), await failed(run)]
    change('retry', (retry) => async (id) => {
      if (id === ids[1]) throw new TierlineError('not_finished', 'Cannot retry: it is waiting')
      if (id === ids[2]) throw new TierlineError('no_route', 'Cannot route it any more')
      return retry(id)
    })

    const { code, stdout, stderr } = await cli('retry', '--all', ...ofRun(run))

    expect(stdout.trimEnd().split('\n')).toHaveLength(2)
    expect(stderr).toContain('Cannot route it any more')
    expect(stderr).toContain('2 tasks retried; 1 task had gone on by then; 1 task could not be.')
    expect(code).toBe(2)
  })

  test('stops where it cannot help to go on', async () => {
    const run = randomUUID()
    for (let count = 0; count < 30; count += 1) await failed(run)
    let asked = 0
    change('retry', () => async () => {
      asked += 1
      throw new TierlineError('redis_unavailable', 'Cannot reach Redis')
    })

    const { code, stderr } = await cli('retry', '--all', ...ofRun(run))

    expect(code).toBe(2)
    expect(stderr).toContain('Cannot reach Redis')
    expect(asked).toBeLessThan(20)
  })

  test('prints each with --json, and how many', async () => {
    const run = randomUUID()
    const id = await failed(run)

    const { stdout } = await cli('retry', '--all', '--json', ...ofRun(run))

    expect(JSON.parse(stdout)).toEqual({
      data: [{ id, task: expect.objectContaining({ id, state: 'waiting' }) }],
      done: 1,
      tooLate: 0,
      refused: 0,
    })
  })
})

describe('cancel --all', () => {
  test('cancels whatever is not over, page after page', async () => {
    const run = randomUUID()
    const ids: string[] = []
    for (let count = 0; count < 250; count += 1) ids.push(await waiting(run))
    ids.push(await waiting(run, { delayMs: 60_000 }))
    server.ports.patch(ids[7]!, { state: 'running' })
    const over = await failed(run)

    const { code, stderr } = await cli('cancel', '--all', ...ofRun(run))

    expect([code, stderr]).toEqual([0, '251 tasks cancelled.\n'])
    expect(new Set(await statesOf(ids))).toEqual(new Set(['cancelled']))
    expect(await statesOf([over])).toEqual(['failed'])
  })

  test('finds a task that moves while it looks, and none that comes later', async () => {
    const run = randomUUID()
    const moving = await waiting(run)
    await waiting(run)
    let later: string | undefined
    server.ports.patch(moving, { state: 'running' })
    change('cancel', (cancel) => async (id) => {
      later ??= await waiting(run)
      return cancel(id)
    })
    change('list', (list) => async (query) => {
      const page = await list(query)
      // Handed over between the two looks that would have seen it.
      if (query.state === 'waiting' && later === undefined) server.ports.patch(moving, { state: 'waiting' })
      return page
    })

    const { stderr } = await cli('cancel', '--all', ...ofRun(run))

    expect(stderr).toBe('2 tasks cancelled.\n')
    expect(await statesOf([moving, later!])).toEqual(['cancelled', 'waiting'])
  })

  test('does not call a task running that its worker is about to stop', async () => {
    const run = randomUUID()
    const ids = [await waiting(run), await waiting(run)]
    change('cancel', (cancel) => async (id) => ({ ...(await cancel(id)), state: 'running' }))

    const said = ids.map((id) => `${id}  running, being cancelled`)
    expect((await cli('cancel', ...ids)).stdout.trimEnd().split('\n')).toEqual(said)
    const byFilter = [await waiting(run)].map((id) => `${id}  running, being cancelled\n`)
    expect((await cli('cancel', '--all', ...ofRun(run))).stdout).toBe(byFilter[0])
  })

  test('says when there is none', async () => {
    expect(await cli('cancel', '--all', ...ofRun(randomUUID()))).toEqual({
      code: 0,
      stdout: '',
      stderr: 'No such tasks.\n',
    })
  })
})

test.each([
  [['retry'], 'name tasks, or use --all'],
  [['cancel', '--type', 'lint'], 'name tasks, or use --all'],
  [['cancel', 'tsk_1', '--all'], 'one of them is enough'],
  [['retry', 'tsk_1', '--type', 'lint'], 'need --all'],
  [['retry', 'tsk_1', '--dry-run'], 'need --all'],
])('%j is refused', async (args, why) => {
  const { code, stderr } = await cli(...args)

  expect(code).toBe(2)
  expect(stderr).toContain(why)
})

function cli(...args: string[]) {
  return runCli([...args, '--url', server.url])
}

/** Only tasks of one test. */
function ofRun(run: string): string[] {
  return ['--metadata', `run=${run}`]
}

async function waiting(run: string, more: object = {}): Promise<string> {
  const task = await server.ports.tasks.submit({ prompt: 'a', metadata: { run }, ...more })
  return task.id
}

async function failed(run: string, type = 'lint'): Promise<string> {
  const id = await waiting(run, { type })
  const error = { code: 'turn_failed', message: 'It failed', retryable: false }
  server.ports.finish(id, 'failed', { error })
  return id
}

async function cancelled(run: string): Promise<string> {
  const id = await waiting(run)
  await server.ports.tasks.cancel(id)
  return id
}

async function statesOf(ids: readonly string[]): Promise<string[]> {
  return Promise.all(ids.map(async (id) => (await server.ports.tasks.get(id)).state))
}

/** Until the end of the test. */
function change<Name extends keyof TaskPort>(
  name: Name,
  wrap: (original: TaskPort[Name]) => TaskPort[Name],
): void {
  const original = server.ports.tasks[name]
  server.ports.tasks[name] = wrap(original)
  onTestFinished(() => {
    server.ports.tasks[name] = original
  })
}
