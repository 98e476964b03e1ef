import { describe, expect, test } from 'vitest'
import {
  answerOf,
  applyItem,
  applyOutcome,
  createTaskView,
  type TaskView,
} from '../../../src/cli/watch/task-view.ts'
import { tokenCount } from '../../../src/cli/watch/token-count.ts'
import type { StreamItem } from '../../../src/tasks/event.ts'
import { createMemoryTask } from '../../doubles/memory-task.ts'

const USAGE = {
  inputTokens: 100,
  outputTokens: 20,
  reasoningTokens: 3,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
}

describe('applyItem()', () => {
  test('follows a task from queue to end', () => {
    const view = viewOf(
      { type: 'attempt-started', at: 1000 },
      { type: 'message-sent', messageID: 'm1', model: 'acme/mini', index: 0 },
    )
    expect(view).toMatchObject({ state: 'running', model: 'acme/mini', message: 1, startedAt: 1000 })

    apply(view, { type: 'task-finished', at: 3000, state: 'succeeded' }, { type: 'end', state: 'succeeded' })
    expect(view).toMatchObject({ state: 'succeeded', finishedAt: 3000, error: null })
  })

  test('holds exactly the text that counts', () => {
    const view = viewOf(
      text('p1', 0, 'hel'),
      text('p1', 3, 'lo'),
      text('p2', 0, 'wrong'),
      { type: 'text-discarded', messageID: 'm1', partID: 'p2', reason: 'retry' },
      { type: 'reasoning-delta', messageID: 'm1', partID: 'r1', offset: 0, text: 'hm' },
      text('p3', 0, 'bye'),
    )

    expect(answerOf(view)).toBe('hello\n\nbye')
  })

  test('writes over what a delta with a lower offset says anew', () => {
    expect(answerOf(viewOf(text('p1', 0, 'hello'), text('p1', 3, 'p')))).toBe('help')
  })

  test('guesses the tokens of running text until they are counted', () => {
    const view = viewOf(text('p1', 0, 'x'.repeat(40)))
    expect(tokenCount(view)).toBe('~10')

    const finished = { messageID: 'm1', model: 'acme/nano', finish: 'stop', usage: USAGE, costMicroUsd: 7 }
    apply(view, { type: 'message-finished', ...finished })
    expect(tokenCount(view)).toBe('123')

    apply(view, text('p2', 0, 'x'.repeat(4)))
    expect(tokenCount(view)).toBe('~124')
    expect(view.costMicroUsd).toBe(7)
  })

  test('takes the exact numbers from the outcome', () => {
    const view = viewOf(text('p1', 0, 'x'.repeat(40)))
    applyOutcome(view, { state: 'failed', error: null, usage: USAGE, costMicroUsd: 42 })

    expect([tokenCount(view), view.costMicroUsd, view.state]).toEqual(['123', 42, 'failed'])
  })

  test('shows tools by what they are about', () => {
    const view = viewOf({ type: 'tool-called', callID: 'c1', tool: 'bash', input: { command: 'ls\n-la' } })
    expect(view.tools).toEqual([{ callID: 'c1', tool: 'bash', detail: 'ls -la', status: 'running' }])

    apply(view, { type: 'tool-finished', callID: 'c1', status: 'completed', title: 'List files' })
    expect(view.tools[0]).toMatchObject({ detail: 'List files', status: 'completed' })
  })

  test('knows a wait before the start from one while it runs', () => {
    const parked = (reason: string, until: number | null = null) => ({
      type: 'task-parked',
      waitingFor: { reason, detail: 'acme/big: 2 of 2', until },
    })
    const view = viewOf({ type: 'attempt-started' }, parked('children'))
    expect(view).toMatchObject({ state: 'running', waitingFor: 'children: acme/big: 2 of 2' })

    apply(view, parked('limit', Date.UTC(2026, 10, 23, 14, 5, 32, 1)))
    expect(view).toMatchObject({
      state: 'waiting',
      waitingFor: 'limit: acme/big: 2 of 2, until 2026-11-23T14:05:32Z',
    })
    apply(view, { type: 'task-resumed' })
    expect(view.waitingFor).toBeNull()
  })

  test('forgets the run before when the task is retried', () => {
    const error = { code: 'turn_failed', message: 'Cannot', retryable: false }
    const view = viewOf(text('p1', 0, 'old'), { type: 'task-finished', state: 'failed', error })
    apply(view, { type: 'task-retried' }, text('p2', 0, 'new'))

    expect(answerOf(view)).toBe('new')
    expect(view).toMatchObject({ state: 'waiting', error: null, notes: ['started once more'] })
  })

  test('notes what a person should know', () => {
    const view = viewOf(
      { type: 'provider-retry', at: 1000, try: 2, nextAt: 5000, message: '429 too\nmany' },
      { type: 'model-changed', from: 'a/b', to: 'a/c', reason: 'outage' },
      { type: 'turn-resumed', messageID: 'm1', model: 'a/c', reason: 'server restarted' },
      { type: 'stream-lagging', messageID: 'm1', partID: 'p1' },
      { type: 'reset', missing: [1, 480] },
    )

    expect(view.notes).toEqual([
      'provider failed (try 2), again in 4.0 s: 429 too many',
      'model changed from a/b to a/c: outage',
      'the turn was resumed: server restarted',
      'another worker took over: the rest of this text comes at its end',
      'events 1 to 480 are gone: the log was trimmed',
    ])
  })
})

type Loose = { type: string } & Record<string, unknown>

function viewOf(...items: Loose[]): TaskView {
  const view = createTaskView(createMemoryTask({ type: 'lint', prompt: 'a' }))
  apply(view, ...items)
  return view
}

function apply(view: TaskView, ...items: Loose[]): void {
  for (const item of items) applyItem(view, { seq: 1, at: 0, attempt: 1, ...item } as unknown as StreamItem)
}

function text(partID: string, offset: number, text: string): Loose {
  return { type: 'text-delta', messageID: 'm1', partID, offset, text }
}
