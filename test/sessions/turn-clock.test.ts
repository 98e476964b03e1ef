import { describe, expect, test } from 'vitest'
import { createTurnClock, type TurnClock } from '../../src/sessions/opencode/turn-clock.ts'

const PACE = { quietMs: 200, quietAtFirstMs: 500, quietAfterErrorMs: 30 }

describe('createTurnClock()', () => {
  test('takes a turn for lost that was idle for a while', () => {
    const clock = running()
    clock.found(false, 1_100)
    expect(clock.pauseMs(1_150, false)).toBe(150)
    expect(clock.isQuiet(1_299, false)).toBe(false)
    expect(clock.isQuiet(1_300, false)).toBe(true)
  })

  test('begins anew when something is heard, or the session is busy', () => {
    const clock = running()
    clock.found(false, 1_100)
    clock.heard(1_200, false)
    expect(clock.isQuiet(1_400, false)).toBe(false)
    clock.found(false, 1_400)
    clock.found(true, 1_450)
    expect(clock.isQuiet(1_700, false)).toBe(false)
  })

  test('does not believe an idle that was asked for before the last news', () => {
    const clock = running()
    clock.heard(1_200, false)
    clock.found(false, 1_199)
    expect(clock.isQuiet(9_999, false)).toBe(false)
  })

  test('gives a message time to begin, and more with each repeat', () => {
    const clock = createTurnClock(PACE, 1_000)
    clock.sending(0)
    clock.sent(1_000)
    clock.found(false, 1_000)
    expect([clock.isQuiet(1_499, false), clock.isQuiet(1_500, false)]).toEqual([false, true])
    clock.sending(2)
    clock.sent(2_000)
    clock.found(false, 2_000)
    expect([clock.isQuiet(3_999, false), clock.isQuiet(4_000, false)]).toEqual([false, true])
  })

  test('has nothing to do while the message is on its way', () => {
    const clock = createTurnClock(PACE, 1_000)
    clock.abortAsked(1_000)
    clock.sending(0)
    clock.found(false, 1_100)
    expect(clock.pauseMs(9_999, true)).toBeGreaterThan(1_000)
    expect([clock.isQuiet(9_999, true), clock.takeAbort(9_999)]).toEqual([false, false])
  })

  test('is quick once the server has said that it cannot begin', () => {
    const clock = createTurnClock(PACE, 1_000)
    expect([clock.pauseMs(1_010, true), clock.pauseMs(1_030, true)]).toEqual([20, 0])
    expect(clock.isQuiet(1_030, true)).toBe(false)
    clock.found(false, 1_030)
    expect(clock.isQuiet(1_030, true)).toBe(true)
  })

  test('waits again when a session that cannot begin is busy all the same', () => {
    const clock = createTurnClock(PACE, 1_000)
    clock.found(true, 1_030)
    expect(clock.pauseMs(1_030, true)).toBe(30)
  })

  test('is due once a second for an abort', () => {
    const clock = running()
    clock.abortAsked(1_000)
    expect(clock.pauseMs(1_400, false)).toBe(600)
    expect([1_999, 2_000, 2_001, 2_999, 3_000].map((now) => clock.takeAbort(now))).toEqual([
      false,
      true,
      false,
      false,
      true,
    ])
  })
})

function running(): TurnClock {
  const clock = createTurnClock(PACE, 1_000)
  clock.sending(0)
  clock.sent(1_000)
  clock.heard(1_000, true)
  return clock
}
