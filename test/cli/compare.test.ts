import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ComparisonRow } from '../../src/tasks/task.ts'
import { NO_USAGE } from '../../src/tasks/usage.ts'
import { type MemoryServer, startMemoryServer, textDelta } from '../client/memory-server.ts'
import { runCli, withDirectory } from './run-cli.ts'

let server: MemoryServer
const inputs: unknown[] = []
/** What becomes of the two models. */
let rows: Partial<ComparisonRow>[] = [{}, {}]

beforeAll(async () => {
  server = await startMemoryServer()
  const { ports } = server
  const { acceptCompare } = ports.tasks
  ports.tasks.acceptCompare = async (input, caller) => {
    inputs.push(input)
    const accepted = await acceptCompare(input, caller)
    const { task } = accepted
    const children = await Promise.all(
      ['acme/nano', 'acme/big'].map((model) =>
        ports.tasks.submit({ prompt: 'a', model, parentTaskID: task.id }),
      ),
    )
    ports.push(task.id, { type: 'task-parked', waitingFor: { reason: 'children', detail: '', until: null } })
    for (const { id } of children) {
      ports.push(id, { type: 'attempt-started' })
      ports.push(id, textDelta('hello'))
      ports.finish(id, 'succeeded')
    }
    ports.finish(task.id, 'succeeded')
    const comparison = rows.map((row, index) => ({ ...ROW, model: children[index]!.model, ...row }))
    ports.patch(task.id, { result: { text: '', structured: null, diff: null, messages: [], comparison } })
    return accepted
  }
})

afterAll(() => server.close())

describe('compare', () => {
  test('shows the tasks while they run, then each answer and the table', async () => {
    rows = [
      { verdict: { passed: true, by: 'output', detail: '' }, diff: '--- a/x\n+++ b/x\n+one\n+two\n-three\n' },
      { state: 'failed', text: null, error: { code: 'turn_failed', message: 'No.', retryable: false } },
    ]
    const { code, stdout, stderr } = await cli('Hello', '--models', 'acme/nano,acme/big')

    expect(code).toBe(0)
    expect(stderr).toMatch(/^acme\/nano {2}succeeded/m)
    expect(stderr).toMatch(/^acme\/big {2}succeeded/m)
    expect(stdout).toContain('acme/nano\nhello\n\nacme/big\nturn_failed: No.\n\n')
    expect(stdout).toMatch(
      /│ ✓ │ acme\/nano │ succeeded +│ passed +│ +\+2 -1 │ +12 │ +\$0\.000100 │ +200 ms │ +1\.5 s │/,
    )
    expect(stdout).toMatch(/│ ✗ │ acme\/big +│ turn_failed │ - +│/)
  })

  test('exits with 1 when no model did it', async () => {
    const verdict = { passed: false, by: 'output', detail: 'is not JSON\nat all' }
    rows = [{ verdict }, { verdict }]
    const { code, stdout } = await cli('Hello', '--tiers', 'fast,powerful')

    expect(code).toBe(1)
    expect(stdout).toContain('failed: is not JSON │')
  })

  test('prints the outcome with --json', async () => {
    rows = [{}, {}]
    const { code, stdout, stderr } = await cli('Hello', '--models', 'acme/nano,acme/big', '--json')

    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout).result.comparison).toMatchObject([
      { model: 'acme/nano' },
      { model: 'acme/big' },
    ])
  })

  test('makes a comparison of its flags', async () => {
    await withDirectory(async (directory) => {
      await writeFile(join(directory, 'schema.json'), '{"type": "object"}')
      await cli(
        'Hello',
        '--tiers',
        'fast,powerful',
        '--schema',
        join(directory, 'schema.json'),
        '--dir',
        directory,
        '--isolation',
        'shared',
        '--agent',
        'plan',
        '--timeout',
        '10m',
        '--type',
        'lint',
      )

      expect(inputs.at(-1)).toEqual({
        idempotencyKey: expect.any(String),
        prompt: 'Hello',
        tiers: ['fast', 'powerful'],
        output: { schema: { type: 'object' } },
        ...{ directory, isolation: 'shared', agent: 'plan', timeoutMs: 600_000, type: 'lint' },
      })
    })
  })

  test.each([
    [['Hello'], 'models'],
    [['--models', 'acme/nano,acme/big'], 'no prompt is given'],
    [['Hello', '--models', 'acme/nano'], 'models'],
    [['Hello', '--models', 'a/b,c/d', '--tiers', 'fast,powerful'], 'cannot be used with'],
    [['Hello', '--models', 'a/b,c/d', '--schema', '/no/such/file'], 'cannot be read as JSON'],
  ])('with %j exits with 2', async (args, says) => {
    const { code, stdout, stderr } = await cli(...args)

    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(says)
  })
})

function cli(...args: string[]) {
  return runCli(['compare', ...args, '--url', server.url])
}

const ROW: ComparisonRow = {
  ...{ taskID: 'tsk_01k0000000000000000000000a', model: '', state: 'succeeded', text: 'hello', diff: null },
  ...{ usage: { ...NO_USAGE, inputTokens: 10, outputTokens: 2 }, costMicroUsd: 100, firstTokenMs: 200 },
  ...{ totalMs: 1500, verdict: null, error: null },
}
