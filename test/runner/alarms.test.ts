import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createAlarms } from '../../src/runner/alarms.ts'

beforeEach(() => void vi.useFakeTimers({ now: 100_000 }))
afterEach(() => void vi.useRealTimers())

describe('createAlarms()', () => {
  test('rings all that fall due in the same 5 ms in one turn, in the order of their asking', async () => {
    const { rung, set } = start()
    set('b', 23)
    set('a', 20)
    set('later', 25)
    await vi.advanceTimersByTimeAsync(19)
    expect(rung).toEqual([])

    vi.advanceTimersToNextTimer()
    expect(rung).toEqual(['b', 'a'])
    await vi.advanceTimersByTimeAsync(5)
    expect(rung).toEqual(['b', 'a', 'later'])
  })

  test('rings what is due once the turn of the event loop is over', async () => {
    const { rung, set } = start()
    set('due', 0)
    set('overdue', -7)
    expect(rung).toEqual([])

    vi.advanceTimersToNextTimer()
    expect(rung).toEqual(['due', 'overdue'])
  })

  test('rings what is set while others ring, and nothing that was cancelled', async () => {
    const { rung, set, alarms } = start()
    set('cancelled', 10).cancel()
    alarms.set(100_010, Date.now(), () => set('again', 0))
    await vi.advanceTimersByTimeAsync(11)

    expect(rung).toEqual(['again'])
    expect(vi.getTimerCount()).toBe(0)
  })
})

function start() {
  const alarms = createAlarms()
  const rung: string[] = []
  const set = (name: string, inMs: number) =>
    alarms.set(Date.now() + inMs, Date.now(), () => void rung.push(name))
  return { alarms, rung, set }
}
