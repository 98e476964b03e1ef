import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createInterruption } from '../../src/runner/interruption.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const given = () => ({ interrupt: new AbortController() })

test('the first reason stays', () => {
  const signals = given()
  const interruption = createInterruption(signals, 1_000, 0)
  expect(interruption.reason()).toBeUndefined()

  signals.interrupt.abort('stop')
  signals.interrupt.abort('cancelled')
  vi.advanceTimersByTime(1_000)
  interruption.raise('stale')

  expect(interruption.reason()).toBe('stop')
  expect(interruption.signal.aborted).toBe(true)
  interruption.dispose()
})

test('what interrupted before counts', () => {
  const signals = given()
  signals.interrupt.abort('cancelled')

  const interruption = createInterruption(signals, 1_000, 0)

  expect(interruption.reason()).toBe('cancelled')
  interruption.dispose()
})

test('the deadline raises task_timeout, unless it was disposed of', () => {
  const late = createInterruption(given(), 1_000, 0)
  const over = createInterruption(given(), 1_000, 0)
  over.dispose()

  vi.advanceTimersByTime(1_000)

  expect(late.reason()).toBe('task_timeout')
  expect(over.reason()).toBeUndefined()
  expect(vi.getTimerCount()).toBe(0)
})
