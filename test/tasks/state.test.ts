/** The state machine as data, against what the scripts in Redis do. */
import { describe, expect, test as plainTest } from 'vitest'
import { canTransition, isTerminal, TASK_STATES, type TaskState, TRANSITIONS } from '../../src/tasks/state.ts'
import {
  CANCELLED,
  claimOptions,
  MAX_DELIVERIES,
  type RecordsFixture,
  test,
  writeOf,
} from '../records/records-test.ts'

const RETURNS = ['waiting', 'delayed', 'succeeded', 'failed', 'cancelled'] as const

describe('TRANSITIONS', () => {
  test('are those that happen in Redis, and no others', async ({ records }) => {
    const happened = new Set<string>()
    for (const from of TASK_STATES)
      for (const act of actions(records)) {
        const id = await taskIn(from, records)
        if (!(await act(id))) continue
        happened.add(`${from} → ${(await records.store.read(id))!.state}`)
      }
    // The end of a delay is told by the clock: no script moves the record.
    happened.add('delayed → waiting')

    const declared = TASK_STATES.flatMap((from) => TRANSITIONS[from].map((to) => `${from} → ${to}`))
    expect([...happened].sort()).toEqual(declared.sort())
  })
})

plainTest('canTransition() reads the table', () => {
  expect(canTransition('waiting', 'running')).toBe(true)
  expect(canTransition('waiting', 'succeeded')).toBe(false)
})

plainTest('isTerminal() is true where only a retry leads on', () => {
  expect(TASK_STATES.filter(isTerminal)).toEqual(['succeeded', 'failed', 'cancelled'])
})

/** Everything that may change a state. Each says whether it was done. */
function actions({ store }: RecordsFixture): ((id: string) => Promise<boolean>)[] {
  const claim = (id: string, maxDeliveries: number) => store.claim(id, claimOptions({ maxDeliveries }))
  return [
    async (id) => (await claim(id, MAX_DELIVERIES)).status === 'claimed',
    async (id) => (await claim(id, 0)).status === 'poisoned',
    ...RETURNS.map((to) => async (id: string) => {
      const record = (await store.read(id))!
      return (
        (await store.write(writeOf(record, { to, fields: { model: 'acme/nano' } }))).status === 'written' &&
        record.state === 'running'
      )
    }),
    async (id) => (await store.cancel(id, 4_000, CANCELLED)).status === 'cancelled',
    async (id) => (await store.retry(id, 5_000, { queue: 'fast' })).status === 'waiting',
  ]
}

async function taskIn(state: TaskState, { store, create, claimed }: RecordsFixture): Promise<string> {
  if (state === 'waiting' || state === 'delayed') return create(state)
  const record = await claimed(await create())
  if (state !== 'running') await store.write(writeOf(record, { to: state }))
  return record.id
}
