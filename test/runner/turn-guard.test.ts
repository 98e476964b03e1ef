import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { TurnCut } from '../../src/records/task-record.ts'
import { createTurnGuard, type TurnGuard, type TurnLimits } from '../../src/runner/turn-guard.ts'
import type { TurnEvent } from '../../src/sessions/backend.ts'

const START = 1_800_000_000_000

beforeEach(() => {
  vi.useFakeTimers({ now: START })
  return () => vi.useRealTimers()
})

let guard: TurnGuard
afterEach(() => guard.close())

test('cuts a turn that goes on after its last step, and no other', () => {
  const cuts = watch({ maxSteps: 3 })
  guard.saw(step(2, true))
  expect(cuts).toEqual([])
  guard.saw(step(3, true))
  guard.saw(step(4, true))
  expect(cuts).toMatchObject([{ code: 'too_many_steps', message: expect.stringContaining('limit is 3') }])

  const none = watch({ maxSteps: 3 })
  guard.saw(step(3, false))
  expect(none).toEqual([])
})

test('cuts a stream that is silent, counted from the last sign of life', () => {
  const cuts = watch({ silenceMs: 1_000 })
  vi.advanceTimersByTime(900)
  guard.saw(text())
  vi.advanceTimersByTime(900)
  guard.saw({ type: 'alive' })
  vi.advanceTimersByTime(999)
  expect(cuts).toEqual([])
  vi.advanceTimersByTime(1)
  expect(cuts).toMatchObject([{ code: 'stream_silent' }])
})

test('lets tools take their time', () => {
  const cuts = watch({ silenceMs: 1_000 })
  guard.saw({ type: 'tool-called', callID: 'one', tool: 'bash', input: {} })
  guard.saw({ type: 'tool-called', callID: 'two', tool: 'bash', input: {} })
  vi.advanceTimersByTime(10_000)
  guard.saw({ type: 'tool-finished', callID: 'one', status: 'completed', title: '' })
  vi.advanceTimersByTime(10_000)
  expect(cuts).toEqual([])
  guard.saw({ type: 'tool-finished', callID: 'two', status: 'completed', title: '' })
  vi.advanceTimersByTime(2_000)
  expect(cuts).toMatchObject([{ code: 'stream_silent' }])
})

test('lets a person take their time', () => {
  const cuts = watch({ silenceMs: 1_000 })
  const subject = { kind: 'permission' as const, permission: 'bash', patterns: ['ls'], questions: [] }
  guard.saw({ type: 'asked', askID: 'per_1', always: [], subject })
  vi.advanceTimersByTime(10_000)
  expect(cuts).toEqual([])
  guard.saw({ type: 'ask-gone', askID: 'per_1' })
  vi.advanceTimersByTime(2_000)
  expect(cuts).toMatchObject([{ code: 'stream_silent' }])
})

test('waits for no tool that died with its server', () => {
  const cuts = watch({ silenceMs: 1_000 })
  guard.saw({ type: 'tool-called', callID: 'one', tool: 'bash', input: {} })
  guard.saw({ type: 'turn-resumed', reason: 'lost' })
  vi.advanceTimersByTime(2_000)
  expect(cuts).toMatchObject([{ code: 'stream_silent' }])
})

test('counts no silence while OpenCode waits for its provider', () => {
  const cuts = watch({ silenceMs: 1_000 })
  guard.saw(retry(1, 5_000))
  vi.advanceTimersByTime(5_900)
  expect(cuts).toEqual([])
  vi.advanceTimersByTime(200)
  expect(cuts).toMatchObject([{ code: 'stream_silent' }])
})

test('cuts a wait of OpenCode that is too long by itself', () => {
  const cuts = watch({ maxRetryAfterMs: 4_000 })
  guard.saw(retry(1, 3_000))
  expect(cuts).toEqual([])
  guard.saw(retry(2, 5_000))
  expect(cuts).toEqual([{ code: 'provider_error', message: 'scripted', retryAfterMs: 5_000 }])
})

test('cuts a wait of OpenCode that ends too late for the provider or the task', () => {
  const cuts = watch({ retryWaitMs: 10_000 })
  guard.saw(retry(1, 4_000))
  vi.advanceTimersByTime(4_000)
  guard.saw(retry(2, 5_000))
  expect(cuts).toEqual([])
  vi.advanceTimersByTime(5_000)
  guard.saw(retry(3, 2_000))
  expect(cuts).toHaveLength(1)

  const late = watch({ deadlineAt: Date.now() + 1_000 })
  guard.saw(retry(1, 2_000))
  expect(late).toHaveLength(1)
})

test('takes the time before this turn into account, and forgets it after a step that went well', () => {
  const cuts = watch({ retryWaitMs: 10_000 }, START - 9_000)
  guard.saw(retry(1, 2_000))
  expect(cuts).toHaveLength(1)

  const none = watch({ retryWaitMs: 10_000 }, START - 9_000)
  guard.saw(step(1, true))
  guard.saw(retry(1, 2_000))
  expect(none).toEqual([])
  expect(guard.failing).toEqual({ since: START, requests: 1 })
})

test('cuts the tries of OpenCode only when there is another model to go to', () => {
  const cuts = watch({ maxRequests: 2, hasNext: () => true })
  guard.saw(retry(1, 100))
  expect(cuts).toEqual([])
  guard.saw(retry(2, 100))
  expect(cuts).toMatchObject([{ code: 'provider_error' }])

  const none = watch({ maxRequests: 2 })
  guard.saw(retry(2, 100))
  expect(none).toEqual([])
})

function watch(limits: Partial<TurnLimits>, since?: number): TurnCut[] {
  guard?.close()
  const cuts: TurnCut[] = []
  const all: TurnLimits = {
    maxSteps: 50,
    silenceMs: 60_000,
    maxRetryAfterMs: 60_000,
    maxRequests: 3,
    hasNext: () => false,
    retryWaitMs: 600_000,
    deadlineAt: START + 3_600_000,
    ...limits,
  }
  guard = createTurnGuard(all, since, (cut) => cuts.push(cut))
  return cuts
}

function step(steps: number, goesOn: boolean): TurnEvent {
  return { type: 'step', steps, goesOn }
}

function text(): TurnEvent {
  return { type: 'text', kind: 'text', partID: 'prt_1', offset: 0, text: 'a' }
}

function retry(attempt: number, waitMs: number): TurnEvent {
  return { type: 'provider-retry', attempt, nextAt: Date.now() + waitMs, message: 'scripted' }
}
