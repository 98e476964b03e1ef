import { expect } from 'vitest'
import { claimOptions, finished, newTask, recordFields, test, writeOf } from './records-test.ts'

const LINE = 'session:ses_1'
const inLine = (id: string) => newTask(id, { ...recordFields(), line: LINE }, { line: LINE })

test('a task gets its place in line with its record, and passes with its claim when it is its turn', async ({
  records: { store, creatorFor, redis },
  redis: { keys },
}) => {
  const create = creatorFor(10)
  const submit = (id: string) => create(inLine(id))

  expect(await Promise.all(['tsk_1', 'tsk_2', 'tsk_3'].map(submit))).toEqual(
    [0, 1, 2].map((before) => ({ status: 'created', before })),
  )
  // Sent again after a lost reply.
  expect(await submit('tsk_2')).toEqual({ status: 'created', before: 1 })

  expect(await store.claim('tsk_2', claimOptions())).toMatchObject({ status: 'claimed', hasTurn: false })
  expect(await store.claim('tsk_1', claimOptions())).toMatchObject({ status: 'claimed', hasTurn: true })
  // A take-over has it still.
  expect(await store.claim('tsk_1', claimOptions())).toMatchObject({ status: 'claimed', hasTurn: true })
  expect(await redis.smembers(keys.gate(LINE).holding)).toEqual(['tsk_1'])
})

test('the last write leaves the line and names the next, also when it is repeated', async ({
  records: { store, creatorFor, claimed, redis },
  redis: { keys },
}) => {
  for (const id of ['tsk_1', 'tsk_2']) await creatorFor(10)(inLine(id))
  const first = await claimed('tsk_1')
  const last = writeOf(first, { events: [finished], to: 'succeeded' })

  expect(await store.write(last)).toMatchObject({ status: 'written', next: ['tsk_2'] })
  expect(await store.write(last)).toMatchObject({ status: 'written', next: ['tsk_2'] })

  await store.write(writeOf(await claimed('tsk_2'), { events: [finished], to: 'succeeded' }))
  expect(await redis.exists(keys.gate(LINE).holding, keys.gate(LINE).waiting)).toBe(0)
  expect(await redis.smembers(keys.gateLines)).toEqual([])
})

test('a write that ends nothing keeps the line', async ({
  records: { store, creatorFor, claimed, redis },
  redis: { keys },
}) => {
  await creatorFor(10)(inLine('tsk_1'))
  const record = await claimed('tsk_1')

  expect(await store.write(writeOf(record, { to: 'delayed' }))).toMatchObject({ next: [] })
  expect(await redis.smembers(keys.gate(LINE).holding)).toEqual(['tsk_1'])
})
