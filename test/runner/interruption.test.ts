import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createInterruption } from '../../src/runner/interruption.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('the first reason stays', () => {
  const { signals, cancel, stop } = given()
  const interruption = createInterruption(signals, 1_000, 0)
  expect(interruption.reason()).toBeUndefined()

  stop.abort()
  cancel.abort()
  vi.advanceTimersByTime(1_000)
  interruption.raise('stale')

  expect(interruption.reason()).toBe('stop')
  expect(interruption.signal.aborted).toBe(true)
  interruption.dispose()
})

test('signals that were aborted before count, the cancel first', () => {
  const { signals, cancel, stop } = given()
  stop.abort()
  cancel.abort()

  const interruption = createInterruption(signals, 1_000, 0)

  expect(interruption.reason()).toBe('cancelled')
  interruption.dispose()
})

test('the deadline raises task_timeout, unless it was disposed of', () => {
  const { signals } = given()
  const late = createInterruption(signals, 1_000, 0)
  const over = createInterruption(signals, 1_000, 0)
  over.dispose()

  vi.advanceTimersByTime(1_000)

  expect(late.reason()).toBe('task_timeout')
  expect(over.reason()).toBeUndefined()
})

test('dispose() leaves neither a timer nor a listener', () => {
  const { signals, cancel, stop } = given()
  const interruption = createInterruption(signals, 1_000, 0)
  interruption.dispose()

  cancel.abort()
  stop.abort()

  expect(vi.getTimerCount()).toBe(0)
  expect(interruption.reason()).toBeUndefined()
})

function given() {
  const cancel = new AbortController()
  const stop = new AbortController()
  return { cancel, stop, signals: { cancel: cancel.signal, stop: stop.signal } }
}
