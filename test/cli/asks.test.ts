/** `asks` and `answer`. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ask } from '../../src/tasks/ask.ts'
import { type MemoryServer, startMemoryServer } from '../client/memory-server.ts'
import { runCli } from './run-cli.ts'

let server: MemoryServer

beforeAll(async () => {
  server = await startMemoryServer()
})

afterAll(() => server.close())

describe('asks', () => {
  test('shows what the tasks that wait for a person ask', async () => {
    const first = await asking('per_1', { patterns: ['git push'] })
    const second = await asking('que_1', QUESTION)
    await asking('per_2', { state: 'answered' })
    const { code, stdout } = await cli('asks')
    const lines = stdout.trimEnd().split('\n')

    expect(code).toBe(0)
    expect(lines[0]).toMatch(/^TASK +ASK +STATE +LEFT +WHAT$/)
    expect(lines.find((line) => line.startsWith(first))).toMatch(/per_1 +open .*bash: git push$/)
    expect(lines.find((line) => line.startsWith(second))).toMatch(/que_1 +open .*Which\? \(A \/ B\)$/)
    expect(stdout).not.toContain('per_2')
  })

  test('shows those of one task, closed ones too', async () => {
    const id = await asking('per_1', { state: 'denied' })

    expect((await cli('asks', id)).stderr).toBe('Nothing is asked.\n')
    expect(JSON.parse((await cli('asks', id, '--closed', '--json')).stdout)).toMatchObject({
      data: [{ taskID: id, id: 'per_1', state: 'denied' }],
    })
  })
})

describe('answer', () => {
  test.each([
    [{}, ['once'], { reply: 'once' }],
    [{}, ['reject', '--message', 'No.'], { reply: 'reject', message: 'No.' }],
    [{ kind: 'question' as const }, ['A', 'once'], { answers: [['A'], ['once']] }],
    [{ kind: 'question' as const }, ['reject'], { reply: 'reject' }],
  ])('%o with %j sends %j', async (ask, words, sent) => {
    const id = await asking('per_1', ask)
    const { code, stdout } = await cli('answer', id, ...words)

    expect([code, stdout]).toEqual([0, 'per_1  answered\n'])
    expect(server.ports.calls.at(-1)).toBe(`answer ${id} per_1 ${JSON.stringify(sent)}`)
  })

  test('takes the one that is named', async () => {
    const id = await asking('per_1')
    server.ports.ask(id, { ...ASK, id: 'per_2' })

    expect((await cli('answer', id, 'once', '--ask', 'per_2')).stdout).toBe('per_2  answered\n')
  })

  test('says what is wrong', async () => {
    const id = await asking('per_1')

    expect(await cli('answer', id, 'maybe')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('once, always'),
    })
    await cli('answer', id, 'once')
    expect(await cli('answer', id, 'once')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('asks nothing now'),
    })
    expect(await cli('answer', id, 'once', '--ask', 'per_1')).toMatchObject({ code: 2 })
  })
})

const ASK: Ask = {
  id: 'per_1',
  kind: 'permission',
  permission: 'bash',
  patterns: ['ls'],
  questions: [],
  state: 'open',
  askedAt: 1,
  deadlineAt: 4_000_000_000_000,
}

const QUESTION: Partial<Ask> = {
  kind: 'question',
  permission: null,
  patterns: [],
  questions: [
    {
      question: 'Which?',
      header: 'W',
      options: ['A', 'B'].map((label) => ({ label, description: '' })),
      multiple: false,
    },
  ],
}

/** A running task that asks this. */
async function asking(askID: string, overrides: Partial<Ask> = {}): Promise<string> {
  const { id } = await server.ports.tasks.submit({ prompt: 'a' })
  const isOpen = (overrides.state ?? 'open') === 'open'
  const waitingFor = isOpen ? { reason: 'person' as const, detail: 'x', until: null } : null
  server.ports.patch(id, { state: 'running', waitingFor })
  server.ports.ask(id, { ...ASK, id: askID, ...overrides })
  return id
}

function cli(...args: string[]) {
  return runCli([...args, '--url', server.url])
}
