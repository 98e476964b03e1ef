import { describe, expect, test } from 'vitest'
import type { Entry, Gate } from '../../src/gates/gate.ts'
import { createGatekeeper } from '../../src/gates/gatekeeper.ts'
import type { TaskRecord } from '../../src/records/task-record.ts'

const TASK = { id: 'tsk_1' } as TaskRecord
const SHUT: Entry = { status: 'shut', detail: '1 of 1 running', until: 9, wakeInMs: 5 }

describe('pass()', () => {
  test('asks gate after gate', async () => {
    const { keeper, gates, said } = setUp({ gates: [{ reason: 'session' }, { reason: 'limit' }] })

    expect(await keeper.pass(gates, TASK)).toBeUndefined()
    expect(said).toEqual(['enter session', 'enter limit'])
  })

  test('lets go what others could use when a later gate refuses, and keeps its turn', async () => {
    const { keeper, gates, said } = setUp({
      gates: [
        { reason: 'session', heldFor: 'task' },
        { reason: 'limit', heldFor: 'run' },
        { reason: 'budget', entry: SHUT },
      ],
    })

    const refusal = await keeper.pass(gates, TASK)

    expect(refusal).toMatchObject({
      waitingFor: { reason: 'budget', detail: '1 of 1 running', until: 9 },
      wakeInMs: 5,
    })
    expect(said).toEqual(['enter session', 'enter limit', 'enter budget', 'leave limit'])
    if (refusal?.status !== 'shut') throw new Error('Expected to be refused')
    expect(await refusal.isOpenNow()).toBe(true)
    expect(said.at(-1)).toBe('open? budget')
  })
})

describe('leave()', () => {
  test.for([
    [false, ['leave limit']],
    [true, ['leave session', 'leave limit']],
  ] as const)('of a task that is over or not (%s) leaves what was held for it', async ([over, expected]) => {
    const { keeper, gates, said } = setUp({
      gates: [
        { reason: 'session', heldFor: 'task' },
        { reason: 'limit', heldFor: 'run' },
      ],
    })

    await keeper.leave(gates, TASK.id, over)

    expect(said).toEqual(expected)
  })
})

function setUp({ gates: wanted }: { gates: (Partial<Gate> & { entry?: Entry })[] }) {
  const said: string[] = []
  const gates = wanted.map(
    ({ reason = 'limit', heldFor = 'run', entry = { status: 'open' } }): Gate => ({
      reason,
      heldFor,
      async enter() {
        said.push(`enter ${reason}`)
        return entry
      },
      async leave() {
        said.push(`leave ${reason}`)
      },
      async isOpenTo() {
        said.push(`open? ${reason}`)
        return true
      },
    }),
  )
  return { keeper: createGatekeeper({ gatesOf: () => gates }), gates, said }
}
