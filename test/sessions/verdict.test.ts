import { describe, expect, test } from 'vitest'
import { turnMessages } from '../../src/sessions/opencode/turn-messages.ts'
import { judge, type Verdict } from '../../src/sessions/opencode/verdict.ts'
import type { AssistantInfo, WireMessage } from '../../src/sessions/opencode/wire.ts'
import { loadFixture } from './fixture.ts'

describe('judge()', () => {
  test('is absent when the session does not have the message', () => {
    expect(judge([])).toEqual({ state: 'absent' })
    expect(verdict('unknown-agent')).toEqual({ state: 'absent' })
  })

  test('is unanswered when nothing came of the message', () => {
    expect(verdict('unknown-model')).toEqual({ state: 'unanswered' })
  })

  test.each([
    ['streaming', 'open'],
    ['permission', 'asked'],
    ['aborted-in-retry', 'retrying'],
    ['killed', 'dead'],
  ])('is unfinished in the middle: %s', (name, list) => {
    expect(verdict(name, list)).toEqual({ state: 'unfinished' })
  })

  test('is finished with the text of the last step', () => {
    expect(verdict('plain')).toEqual(finished('Hello there, friend'))
  })

  test('puts the texts of all steps together', () => {
    expect(verdict('tool')).toEqual(finished('Let me look.\n\nIt says hi.'))
  })

  test('leaves out what a dropped connection began', () => {
    expect(verdict('provider-drop')).toEqual(finished('the1 quick2 brown3'))
  })

  test('leaves out a part that never ended', () => {
    const { messageID, list } = loadFixture('plain')
    const [user, answer] = turnMessages(list('end').messages, messageID) as [WireMessage, WireMessage]
    const parts = answer.parts.map((part) => (part.type === 'text' ? { ...part, time: { start: 1 } } : part))
    expect(judge([user, { ...answer, parts }])).toEqual(finished(''))
  })

  test('leaves out the summary of a compaction', () => {
    const text = (verdict('compaction') as { ending: { text: string } }).ending.text
    expect(text).toMatch(/^First\.\n\n/)
    expect(text).not.toContain('Summary')
  })

  test('is finished after a prompt that did not fit at first', () => {
    expect(verdict('overflow')).toEqual(finished('After all.'))
  })

  test('is finished after the server was killed and asked again', () => {
    expect(verdict('killed')).toMatchObject({ state: 'ended', ending: { status: 'finished' } })
  })

  test('is aborted', () => {
    expect(verdict('aborted')).toEqual({ state: 'ended', ending: { status: 'aborted' } })
  })

  test('leaves open whether a turn without finish and error is aborted or about to be compacted', () => {
    expect(verdict('aborted-in-retry')).toEqual({ state: 'over-if-idle' })
    const { messageID, list } = loadFixture('overflow')
    const turn = turnMessages(list('end').messages, messageID)
    expect(judge(turn.slice(0, 2))).toEqual({ state: 'over-if-idle' })
  })

  test.each([
    ['unauthorized', { code: 'provider_auth', retryable: false, httpStatus: 401 }],
    ['bad-request', { code: 'provider_error', retryable: false, httpStatus: 400 }],
    ['malformed', { code: 'provider_error', retryable: true, httpStatus: undefined }],
    ['overflow-at-once', { code: 'context_overflow', retryable: false, httpStatus: undefined }],
  ])('is failed: %s', (name, error) => {
    expect(verdict(name)).toMatchObject({ state: 'ended', ending: { status: 'failed', error } })
  })

  test.each(['tool-calls', 'unknown'])('goes on after a step that finished with "%s"', (finish) => {
    expect(judge(withLast({ finish }))).toEqual({ state: 'unfinished' })
  })

  test('goes on after a summary, and while the last step is not complete', () => {
    expect(judge(withLast({ summary: true }))).toEqual({ state: 'unfinished' })
    expect(judge(withLast({ time: { created: 1 } }))).toEqual({ state: 'unfinished' })
  })
})

function verdict(name: string, list = 'end'): Verdict {
  const { messageID, list: listOf } = loadFixture(name)
  return judge(turnMessages(listOf(list).messages, messageID))
}

function finished(text: string): Verdict {
  return { state: 'ended', ending: { status: 'finished', finish: 'stop', text } }
}

function withLast(overrides: Partial<AssistantInfo>): WireMessage[] {
  const { messageID, list } = loadFixture('plain')
  const turn = turnMessages(list('end').messages, messageID)
  const last = turn.at(-1)!
  return [...turn.slice(0, -1), { ...last, info: { ...(last.info as AssistantInfo), ...overrides } }]
}
