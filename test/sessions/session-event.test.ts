import { describe, expect, test } from 'vitest'
import { readSessionEvent } from '../../src/sessions/opencode/session-event.ts'

describe('readSessionEvent()', () => {
  test('reads a delta', () => {
    const properties = { sessionID: 'ses_1', messageID: 'msg_1', partID: 'prt_1', field: 'text', delta: 'hi' }
    expect(readSessionEvent(JSON.stringify({ type: 'message.part.delta', properties }))).toEqual({
      type: 'delta',
      sessionID: 'ses_1',
      partID: 'prt_1',
      text: 'hi',
    })
  })

  test('knows the beginning of a connection', () => {
    expect(readSessionEvent('{"type":"server.connected","properties":{}}')).toBe('connected')
  })

  test('keeps a part of a kind it does not know, without its content', () => {
    const part = { id: 'prt_1', messageID: 'msg_1', sessionID: 'ses_1', type: 'hologram', size: 9 }
    const event = readSessionEvent(JSON.stringify({ type: 'message.part.updated', properties: { part } }))
    expect(event).toMatchObject({ type: 'part', part: { type: 'other', id: 'prt_1' } })
  })

  test.each([
    ['not JSON', '{'],
    ['not an event', '[]'],
    ['a kind of no use', '{"type":"server.heartbeat","properties":{}}'],
    [
      'another shape than the one measured',
      '{"type":"message.updated","properties":{"info":{"role":"robot"}}}',
    ],
    ['an error of no session', '{"type":"session.error","properties":{"error":{"name":"UnknownError"}}}'],
    ['a name of every object', '{"type":"constructor","properties":{}}'],
  ])('passes over what is %s', (_, data) => {
    expect(readSessionEvent(data)).toBeUndefined()
  })
})
