/** Two workers and a producer do anything in any order: what the store does is what a model of ten lines says. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { Write, WriteResult } from '../../src/records/record-store.ts'
import type { TaskRecord } from '../../src/records/task-record.ts'
import { canTransition, isTerminal, type TaskState } from '../../src/tasks/state.ts'
import {
  CANCELLED,
  claimOptions,
  finished,
  MAX_DELIVERIES,
  test,
  textDelta,
  writeOf,
} from './records-test.ts'

type Worker = 'A' | 'B'
type Action =
  | { do: 'claim'; by: Worker }
  | { do: 'write'; by: Worker; events: number; to?: NonNullable<Write['to']> }
  | { do: 'repeat'; by: Worker }
  | { do: 'cancel' | 'retry' }

const worker = fc.constantFrom<Worker>('A', 'B')
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim' as const), by: worker }) },
  {
    weight: 8,
    arbitrary: fc.record(
      {
        do: fc.constant('write' as const),
        by: worker,
        events: fc.nat(3),
        to: fc.constantFrom('waiting' as const, 'delayed' as const, 'succeeded' as const, 'failed' as const),
      },
      { requiredKeys: ['do', 'by', 'events'] },
    ),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('repeat' as const), by: worker }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('retry' as const) }) },
)

test('only the last claim writes, the log has no gap, and a task moves as its state machine says', async ({
  records: { store, create, log },
}) => {
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
      const id = await create()
      const model = {
        state: 'waiting' as TaskState,
        fence: 0,
        attempt: 0,
        deliveries: 0,
        texts: [] as string[],
      }
      const held = new Map<Worker, TaskRecord>()
      const last = new Map<Worker, { write: Write; reply: WriteResult; fence: number }>()
      const move = (to: TaskState) => {
        expect(canTransition(model.state, to), `${model.state} → ${to}`).toBe(true)
        seen.add(`${model.state} → ${to}`)
        model.state = to
      }

      const act = {
        async claim({ by }: { by: Worker }) {
          const claim = await store.claim(id, claimOptions({ maxDeliveries: MAX_DELIVERIES }))
          if (isTerminal(model.state)) return expect(claim).toEqual({ status: 'finished' })
          model.fence += 1
          if (model.deliveries === MAX_DELIVERIES) {
            expect(claim).toEqual({ status: 'poisoned' })
            return move('failed')
          }
          model.attempt += 1
          model.deliveries += 1
          move('running')
          expect(claim).toMatchObject({ record: { fence: model.fence, attempt: model.attempt } })
          held.set(by, (claim as Extract<typeof claim, { record: unknown }>).record)
        },
        async write({ by, events, to }: Extract<Action, { do: 'write' }>) {
          const claim = held.get(by)
          if (claim === undefined) return
          const texts = Array.from({ length: events }, (_, index) => `${claim.fence}.${claim.seq + index}`)
          const ends = to === 'succeeded' || to === 'failed'
          const entries = [...texts.map((text) => textDelta(text)), ...(ends ? [finished] : [])]
          const write = writeOf(claim, { events: entries, ...(to && { to }) })
          const reply = await store.write(write)
          last.set(by, { write, reply, fence: claim.fence })
          if (claim.fence !== model.fence) {
            held.delete(by)
            return expect(reply).toEqual({ status: 'stale' })
          }
          expect(reply).toMatchObject({ status: 'written', seq: claim.seq + entries.length })
          claim.seq += entries.length
          model.texts.push(...texts)
          if (to === undefined) return
          held.delete(by)
          if (to === 'waiting' || to === 'delayed') model.deliveries -= 1
          move(to)
        },
        async repeat({ by }: { by: Worker }) {
          const before = last.get(by)
          if (before === undefined) return
          const reply = await store.write(before.write)
          const mine = before.fence === model.fence && before.reply.status === 'written'
          expect(reply.status).toBe(mine ? 'written' : 'stale')
        },
        async cancel() {
          const { status } = await store.cancel(id, 4_000, CANCELLED)
          if (isTerminal(model.state)) return expect(status).toBe('finished')
          if (model.state === 'running') return expect(status).toBe('requested')
          expect(status).toBe('cancelled')
          model.fence += 1
          move('cancelled')
        },
        async retry() {
          const { status } = await store.retry(id, 5_000, { queue: 'fast' })
          if (!isTerminal(model.state)) return expect(status).toBe('unfinished')
          expect(status).toBe('waiting')
          model.fence += 1
          model.deliveries = 0
          move('waiting')
        },
      }

      for (const step of actions) {
        await act[step.do](step as never)
        const record = await store.read(id)
        expect(record).toMatchObject({ state: model.state, fence: model.fence, attempt: model.attempt })
        const events = await log(id)
        expect(events.map(({ seq }) => seq)).toEqual(
          Array.from({ length: record!.seq }, (_, index) => index + 1),
        )
        const texts = events.flatMap((event) => (event.type === 'text-delta' ? [event.text] : []))
        expect(texts).toEqual(model.texts)
        const [live, ended] = await Promise.all([
          store.ids(['running'], undefined, 1_000),
          store.expired(9_999, 0, 1_000),
        ])
        expect([live.includes(id), ended.includes(id)]).toEqual(
          isTerminal(model.state) ? [false, true] : [true, false],
        )
      }
    }),
    { numRuns: 100, endOnFailure: false },
  )
  // So many runs come everywhere: else the actions have become too tame to mean anything.
  expect([...seen].sort()).toEqual(expect.arrayContaining(['running → delayed', 'running → running']))
})
