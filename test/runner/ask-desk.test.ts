import { describe, expect, onTestFinished, test } from 'vitest'
import type { AskDecision } from '../../src/records/kept-asks.ts'
import type { RecordFields } from '../../src/records/record-fields.ts'
import type { TaskRecord } from '../../src/records/task-record.ts'
import { type AskDeskOptions, createAskDesk } from '../../src/runner/ask-desk.ts'
import type { TurnEvent } from '../../src/sessions/backend.ts'
import type { AskAnswer } from '../../src/tasks/ask.ts'
import { eventually } from '../setup/eventually.ts'

const ASKED: Extract<TurnEvent, { type: 'asked' }> = {
  type: 'asked',
  askID: 'per_1',
  always: [],
  subject: { kind: 'permission', permission: 'bash', patterns: ['git push'], questions: [] },
}

describe('a Redis that takes no writes for a while', () => {
  test('keeps no ask from being denied at its deadline', async () => {
    const { desk, answers, decisions } = open({ timeoutMs: 10, refusals: { decide: 2 } })

    desk.take(ASKED)

    await eventually(() => expect(answers).toEqual([expect.objectContaining({ reply: 'reject' })]))
    expect(decisions).toEqual(['denied'])
  })

  test('keeps no ask from being known to people', async () => {
    const { desk, written } = open({ timeoutMs: 60_000, refusals: { commit: 1 } })

    desk.take(ASKED)

    await eventually(() => expect(written).toEqual([expect.stringContaining('"id":"per_1"')]))
    expect(desk.open()).toEqual(['per_1'])
  })
})

/** A desk whose Redis refuses so many calls first. */
function open({
  timeoutMs,
  refusals,
}: {
  timeoutMs: number
  refusals: { decide?: number; commit?: number }
}) {
  const left = { decide: 0, commit: 0, ...refusals }
  const refuse = (call: keyof typeof left) => {
    if (left[call]-- > 0) throw new Error('MISCONF Redis is configured to save, and cannot')
  }
  const answers: AskAnswer[] = []
  const decisions: string[] = []
  const written: unknown[] = []
  const desk = createAskDesk({
    record: { id: 'tsk_1', asks: [], directory: null } as unknown as TaskRecord,
    backend: {
      async answerAsk(_: unknown, answer: AskAnswer) {
        answers.push(answer)
        return true
      },
    } as unknown as AskDeskOptions['backend'],
    journal: {
      add() {},
      async commit({ asks }: RecordFields = {}) {
        refuse('commit')
        written.push(asks)
        return true
      },
      close() {},
    },
    log: [],
    onAnswer: undefined,
    deadlineAt: Number.POSITIVE_INFINITY,
    policy: () => ({ rules: [{ permission: 'bash', pattern: '*', action: 'ask' }], timeoutMs }),
    async decide(_task: string, _ask: string, decision: AskDecision) {
      refuse('decide')
      decisions.push(decision.state)
      return decision
    },
    decisions: async (_task, askIDs) => askIDs.map(() => undefined),
    now: Date.now,
  })
  onTestFinished(() => desk.close())
  return { desk, answers, decisions, written }
}
