import picocolors from 'picocolors'
import { describe, expect, test } from 'vitest'
import { renderFinishedTask, renderTask } from '../../../src/cli/watch/render-task.ts'
import { createTaskView, type TaskView } from '../../../src/cli/watch/task-view.ts'
import { createMemoryTask } from '../../doubles/memory-task.ts'

const colors = picocolors.createColors(false)

describe('renderTask()', () => {
  test('shows where it went, what it does and what it says', () => {
    expect(draw(running())).toBe(
      [
        `${ID}  lint → fast → acme/nano`,
        'running  message 2 of 3  ~3 tokens  $0.0123  1.5 s',
        '✓ bash  ls -la',
        '! provider failed',
        '',
        'The answer',
      ].join('\n'),
    )
  })

  test('says what a task waits for', () => {
    const frame = draw(running({ state: 'waiting', waitingFor: 'limit: 2 of 2', startedAt: null }))

    expect(frame).toContain('waiting  limit: 2 of 2  message 2 of 3  ~3 tokens  $0.0123\n')
  })

  test('says not what a task waits for that waits no more', () => {
    expect(draw(running({ state: 'failed', waitingFor: 'fast is paused' }))).not.toContain('fast is paused')
  })

  test('begins no line with the blank at which the one before was broken', () => {
    const lines = draw(running({ parts: [part('  indented here and then on')] }), { columns: 15 }).split('\n')

    expect(lines.slice(-2)).toEqual(['  indented here', 'and then on'])
  })

  test('shows reasoning as a state, not as text', () => {
    const frame = draw(running({ thinking: true, parts: [part('secret thoughts', 'reasoning')] }))

    expect(frame).toContain('thinking')
    expect(frame).not.toContain('secret')
  })

  test.each([5, 10, 24])('fits %i rows and shows the end of a long text', (rows) => {
    const long = Array.from({ length: 500 }, (_, index) => `line ${index}`).join('\n')
    const lines = draw(running({ parts: [part(long)] }), { rows }).split('\n')

    expect(lines.length).toBeLessThan(rows)
    expect(lines[0]).toContain(ID)
    if (rows > 7) expect(lines.at(-1)).toBe('line 499')
  })

  test('counts lines as the terminal breaks them', () => {
    const lines = draw(running({ parts: [part('x'.repeat(5000))] }), { columns: 40, rows: 20 }).split('\n')

    expect(lines.length).toBeLessThan(20)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40)
  })

  test('lets no control character of a model, a tool or a type through', () => {
    const evil = '\u001b[2J\u009b2J\u0007'
    const view = running({
      type: `lint${evil}`,
      parts: [part(`a${evil}`)],
      tools: [{ callID: 'c', tool: `bash${evil}`, detail: 'ls', status: 'completed' }],
      error: { code: 'turn_failed', message: `no${evil}` },
    })

    for (const text of [draw(view), renderFinishedTask(view, { now: 0, colors })])
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
  })
})

describe('renderFinishedTask()', () => {
  test('shows the whole text and how it ended', () => {
    const error = { code: 'turn_failed', message: 'the model gave up' }
    const view = running({ state: 'failed', finishedAt: 2500, error, streamedLength: 0, messages: 1 })

    expect(renderFinishedTask(view, { now: 9999, colors })).toBe(
      [
        `${ID}  lint → fast → acme/nano`,
        '✓ bash  ls -la',
        '! provider failed',
        '',
        'The answer',
        '',
        'failed  0 tokens  $0.0123  1.5 s',
        'turn_failed: the model gave up',
      ].join('\n'),
    )
  })
})

const ID = 'tsk_01k0000000000000000000000a'

function draw(view: TaskView, size: { columns?: number; rows?: number } = {}): string {
  return renderTask(view, { columns: 80, rows: 24, now: 2500, colors, ...size })
}

function part(text: string, kind: 'text' | 'reasoning' = 'text') {
  return { messageID: 'm', partID: 'p', kind, text }
}

function running(overrides: Partial<TaskView> = {}): TaskView {
  return {
    ...createTaskView(createMemoryTask({ type: 'lint', prompt: 'a' })),
    id: ID,
    state: 'running',
    message: 2,
    messages: 3,
    startedAt: 1000,
    costMicroUsd: 12_345,
    streamedLength: 10,
    parts: [part('The answer')],
    tools: [{ callID: 'c', tool: 'bash', detail: 'ls -la', status: 'completed' }],
    notes: ['provider failed'],
    ...overrides,
  }
}
