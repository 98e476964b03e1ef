import { expect, test } from 'vitest'
import { storyOf } from '../../src/queues/story.ts'
import type { TaskEvent } from '../../src/tasks/event.ts'
import { NO_USAGE } from '../../src/tasks/usage.ts'
import { ROUTE } from '../records/records-test.ts'

const AT = Date.UTC(2026, 10, 22)
const delta = (partID: string, text: string) => ({
  type: 'text-delta',
  messageID: 'msg_1',
  partID,
  offset: 0,
  text,
})

test('storyOf() tells a task line by line', () => {
  const steps = [{ step: 'type', input: 'lint', outcome: 'tier fast' }]
  const story = storyOf(
    events(
      { type: 'task-queued', queue: 'fast' },
      { type: 'task-routed', route: { ...ROUTE, steps } },
      { type: 'attempt-started', attempt: 1 },
      { type: 'session-opened', sessionID: 'ses_1', server: 'local', model: 'acme/nano' },
      { type: 'message-sent', messageID: 'msg_1', model: 'acme/nano', index: 0 },
      { type: 'reasoning-delta', messageID: 'msg_1', partID: 'prt_0', offset: 0, text: 'hmm' },
      delta('prt_1', 'Hello '),
      delta('prt_1', 'there'),
      { type: 'tool-called', callID: 'call_1', tool: 'bash', input: {} },
      { type: 'tool-finished', callID: 'call_1', status: 'completed', title: 'ls' },
      {
        type: 'message-finished',
        messageID: 'msg_1',
        model: 'acme/nano',
        finish: 'stop',
        usage: { ...NO_USAGE, inputTokens: 10, outputTokens: 2 },
        costMicroUsd: 3,
      },
      { type: 'task-finished', state: 'succeeded' },
    ),
  )

  expect(story.map((line) => line.replace('2026-11-22T00:00:00.000Z ', ''))).toEqual([
    'queued in "fast"',
    'routed to acme/nano: type "lint" → tier fast',
    'attempt 1 started',
    'session ses_1 opened on "local" with acme/nano',
    'message 1 sent to acme/nano',
    'tool bash called',
    'tool completed: ls',
    'answer: "Hello there" (11 characters)',
    'message finished (stop) by acme/nano: 10 tokens in, 2 out, 3 micro-USD',
    'succeeded',
  ])
})

test('storyOf() tells the end of a long answer, each part by itself, and one that is still open', () => {
  const lines = Array.from({ length: 10 }, (_, index) => `line ${index + 1}`)
  const story = storyOf(events(delta('prt_1', lines.join('\n')), delta('prt_2', 'open')))

  expect(story.map((line) => line.slice(25))).toEqual([
    `answer: ${JSON.stringify('line 8\nline 9\nline 10')} (${lines.join('\n').length} characters)`,
    'answer: "open" (4 characters)',
  ])
})

test('storyOf() says why a task failed', () => {
  const error = { code: 'provider_error', message: 'overloaded', retryable: true }

  expect(storyOf(events({ type: 'task-finished', state: 'failed', error }))[0]).toContain(
    'failed: provider_error: overloaded',
  )
})

function events(...given: ({ type: string } & Record<string, unknown>)[]): TaskEvent[] {
  return given.map(
    (event, index) => ({ seq: index + 1, at: AT, attempt: 1, ...event }) as unknown as TaskEvent,
  )
}
