import { describe, expect, test } from 'vitest'
import { turnMessages } from '../../src/sessions/opencode/turn-messages.ts'
import type { WireMessage } from '../../src/sessions/opencode/wire.ts'
import { loadFixture } from './fixture.ts'

describe('turnMessages()', () => {
  test('is empty when the session does not have the message', () => {
    expect(turnMessages(loadFixture('plain').list('end').messages, 'msg_other')).toEqual([])
  })

  test('holds every step of a turn with tools', () => {
    const { messageID, list } = loadFixture('tool')
    expect(shape(turnMessages(list('end').messages, messageID))).toEqual([
      'user',
      'answer tool-calls',
      'answer stop',
    ])
  })

  test('goes on over a compaction', () => {
    const { messageID, list } = loadFixture('compaction')
    expect(shape(turnMessages(list('end').messages, messageID))).toEqual([
      'user',
      'answer tool-calls',
      'user',
      'summary stop',
      'user',
      'answer stop',
    ])
  })

  test('goes on over a prompt that did not fit and was sent again, and leaves out the turn before', () => {
    const { messageID, list } = loadFixture('overflow')
    expect(shape(turnMessages(list('end').messages, messageID))).toEqual([
      'user',
      'answer undefined',
      'user',
      'summary stop',
      'user',
      'answer stop',
    ])
  })

  test('ends before the next message of the session', () => {
    const { messages } = loadFixture('overflow').list('end')
    expect(shape(turnMessages(messages, 'msg_fix-earlier'))).toEqual(['user', 'answer stop'])
  })

  test('leaves out an answer to another message', () => {
    const { messageID, list } = loadFixture('plain')
    const [user, answer] = list('end').messages as [WireMessage, WireMessage]
    const late = { ...answer, info: { ...answer.info, id: 'msg_late', parentID: 'msg_before' } }
    expect(turnMessages([user, late, answer], messageID)).toEqual([user, answer])
  })

  test('does not take a next message for a repeat, unless a compaction came before it', () => {
    const { messageID, list } = loadFixture('plain')
    const { messages } = list('end')
    const [user, answer] = messages as [WireMessage, WireMessage]
    const again = { ...user, info: { ...user.info, id: 'msg_same-text' } }
    expect(turnMessages([user, answer, again], messageID)).toEqual([user, answer])
  })
})

function shape(turn: readonly WireMessage[]): string[] {
  return turn.map(({ info }) =>
    info.role === 'user' ? 'user' : `${info.summary ? 'summary' : 'answer'} ${info.finish}`,
  )
}
