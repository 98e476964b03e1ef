import { Queue } from 'bullmq'
import { unpack } from 'msgpackr/unpack'
import { describe, expect } from 'vitest'
import { BULL_SCRIPTS } from '../../src/queues/bullmq-scripts.ts'
import type { NewTask } from '../../src/queues/create-tasks.ts'
import type { Delivery } from '../../src/queues/delivery.ts'
import { jobArguments, jobCall } from '../../src/queues/job-call.ts'
import { createTaskQueues } from '../../src/queues/task-queues.ts'
import { CANCELLED, claimOptions, newTask, recordFields, test } from '../records/records-test.ts'

const LINE = 'session:ses_1'
const CREATED = { status: 'created', before: 0 }

function delivered(
  id: string,
  { delivery, ...more }: Partial<Omit<NewTask, 'delivery'>> & { delivery?: Partial<Delivery> } = {},
) {
  const own: Delivery = {
    id,
    queue: 'fast',
    name: 'lint',
    summary: { type: 'lint' },
    priority: 0,
    delayMs: 0,
    ...delivery,
  }
  return newTask(id, recordFields(), { ...more, delivery: own })
}

function inLine(id: string, more: Partial<NewTask> = {}): NewTask {
  return { ...delivered(id), fields: { ...recordFields(), line: LINE }, line: LINE, ...more }
}

describe('the job of a task', () => {
  test('is there in the same step, as Queue.add would have added it', async ({
    records: { creatorFor, redis },
    redis: { keys },
  }) => {
    const create = creatorFor(10)
    const queues = createTaskQueues({ redis, keys })
    const [fast, slow] = [queues.queue('fast'), queues.queue('slow')]
    const kinds = [
      {},
      { priority: 3 },
      { delayMs: 60_000 },
      { queue: 'slow' },
      { queue: 'slow', priority: 1, delayMs: 60_000 },
    ]

    expect(
      await Promise.all(kinds.map((delivery, index) => create(delivered(`tsk_${index}`, { delivery })))),
    ).toEqual(kinds.map(() => CREATED))
    for (const [index, kind] of kinds.entries()) {
      const { queue, ...rest } = { queue: 'fast', ...kind }
      await queues.deliver({ ...delivered('').delivery!, ...rest, id: `as_${index}`, queue })
    }

    for (const queue of [fast, slow]) {
      const jobs = await queue.getJobs()
      expect(jobs).not.toHaveLength(0)
      for (const job of jobs.filter(({ id }) => id!.startsWith('tsk_'))) {
        const twin = jobs.find(({ id }) => id === job.id!.replace('tsk_', 'as_'))!
        const bare = ({ asJSON }: typeof job, one: typeof job) => {
          const { id, timestamp, opts, ...rest } = asJSON.call(one)
          return { ...rest, opts: { ...opts, jobId: undefined } }
        }
        expect(bare(job, job)).toEqual(bare(twin, twin))
        expect(await job.getState()).toBe(await twin.getState())
      }
    }
    expect(await fast.getWaiting()).toMatchObject([{ id: 'tsk_0' }, { id: 'as_0' }])
    await queues.close()
  })

  test('wakes a worker that waits', async ({ records: { creatorFor }, redis: { keys, connect } }) => {
    const marker = `${keys.queuePrefix}:fast:marker`
    const heard = (await connect()).bzpopmin(marker, 10)
    await creatorFor(10)(delivered('tsk_1'))
    expect(await heard).toEqual([marker, '0', '0'])
  })

  test('is none for a task that waits in line, until it is submitted again as the first', async ({
    records: { creatorFor, redis, store },
    redis: { keys },
  }) => {
    const create = creatorFor(10)
    const waiting = () => redis.lrange(`${keys.queuePrefix}:fast:wait`, '0', '-1')

    expect([await create(inLine('tsk_1')), await create(inLine('tsk_2'))]).toEqual([
      CREATED,
      { status: 'created', before: 1 },
    ])
    expect(await waiting()).toEqual(['tsk_1'])
    await store.cancel('tsk_1', 1_500, CANCELLED)
    await redis.zrem(keys.gate(LINE).waiting, 'tsk_1')

    expect(await create(inLine('tsk_2'))).toEqual(CREATED)
    expect(await waiting()).toEqual(['tsk_2', 'tsk_1'])
  })
})

describe('a task', () => {
  test('is written with all that come in one turn of the event loop, each as it is', async ({
    records: { store, creatorFor },
  }) => {
    const ids = Array.from({ length: 50 }, (_, index) => `tsk_${String(index).padStart(2, '0')}`)
    const create = creatorFor(100)
    const odd = (index: number) => index % 2 === 1

    const answers = await Promise.all(
      ids.map((id, index) =>
        create(
          newTask(id, { ...recordFields(), ...(odd(index) && { state: 'delayed', delayUntil: index }) }),
        ),
      ),
    )

    expect(answers).toEqual(ids.map(() => CREATED))
    expect(await store.ids(undefined, undefined, 100)).toEqual(ids.toReversed())
    expect(await store.ids(['waiting'], undefined, 100)).toEqual(ids.toReversed())
    expect(await store.readMany(ids)).toMatchObject(
      ids.map((id, index) => ({
        id,
        state: odd(index) ? 'delayed' : 'waiting',
        delayUntil: odd(index) ? index : 0,
      })),
    )
  })

  test('that is there already is left alone, and its job not added again: a script whose reply was lost', async ({
    records: { store, creatorFor, redis },
    redis: { keys },
  }) => {
    const create = creatorFor(10)
    await create(delivered('tsk_1'))
    await redis.del(`${keys.queuePrefix}:fast:wait`, `${keys.queuePrefix}:fast:tsk_1`)
    await store.claim('tsk_1', claimOptions())

    expect(await create({ ...delivered('tsk_1'), fields: { ...recordFields(), model: 'acme/big' } })).toEqual(
      CREATED,
    )
    expect(await store.read('tsk_1')).toMatchObject({ state: 'running', model: 'acme/nano' })
    expect(await redis.exists(`${keys.queuePrefix}:fast:tsk_1`)).toBe(0)
  })

  test('is refused where no room is left, and taken again when one is over', async ({
    records: { store, creatorFor, create: first },
    redis: { keys, connect },
  }) => {
    const create = creatorFor(3)
    const submit = (id: string) => create(delivered(id))
    const id = await first()

    expect(await Promise.all(['tsk_2', 'tsk_3', 'tsk_4', 'tsk_5'].map(submit))).toEqual([
      CREATED,
      CREATED,
      { status: 'full' },
      { status: 'full' },
    ])
    expect(await store.read('tsk_4')).toBeUndefined()
    expect(await (await connect()).lrange(`${keys.queuePrefix}:fast:wait`, '0', '-1')).toEqual([
      'tsk_3',
      'tsk_2',
    ])
    expect(await submit('tsk_4')).toEqual({ status: 'full' })
    await store.cancel(id, 1_500, CANCELLED)
    expect(await submit('tsk_4')).toEqual(CREATED)
  })

  test('with an idempotency key is written once, and the first answer kept', async ({
    records: { store, creatorFor, redis },
    redis: { keys },
  }) => {
    const create = creatorFor(10)
    const once = (answer: string) => ({ once: { key: keys.once('k'), answer, ageMs: 60_000 } })

    expect(await create(delivered('tsk_1', once('first')))).toEqual(CREATED)
    expect(await create(delivered('tsk_2', once('second')))).toEqual({ status: 'repeated', answer: 'first' })
    // Its own reply was lost.
    expect(await create(delivered('tsk_1', once('first')))).toEqual(CREATED)
    expect(await store.read('tsk_2')).toBeUndefined()
    expect(await redis.pttl(keys.once('k'))).toBeGreaterThan(0)
  })

  test('that was refused leaves its idempotency key free', async ({
    records: { creatorFor, redis },
    redis: { keys },
  }) => {
    const once = { key: keys.once('k'), answer: 'first', ageMs: 60_000 }
    expect(await creatorFor(0)(delivered('tsk_1', { once }))).toEqual({ status: 'full' })
    expect(await creatorFor(9)(delivered('tsk_1', { once, parentTaskID: 'tsk_none' }))).toEqual({
      status: 'unknown_parent',
    })
    expect(await redis.exists(keys.once('k'))).toBe(0)
  })

  test('that shall not wait in line is refused where anybody is there, and gets no place', async ({
    records: { store, creatorFor, claimed, redis },
    redis: { keys },
  }) => {
    const create = creatorFor(10)
    const impatient = (id: string) => create(inLine(id, { onlyIfFree: true }))

    expect(await impatient('tsk_1')).toEqual(CREATED)
    expect(await impatient('tsk_1')).toEqual(CREATED)
    expect(await impatient('tsk_2')).toEqual({ status: 'occupied' })
    await claimed('tsk_1')
    expect(await impatient('tsk_2')).toEqual({ status: 'occupied' })
    expect(await store.read('tsk_2')).toBeUndefined()
    expect(await redis.zrange(keys.gate(LINE).waiting, '0', '-1')).toEqual([])
  })
})

test('what of BullMQ stands in the script is there, and takes what we give it', () => {
  const queue = new Queue('fast', { connection: { lazyConnect: true } as never, skipWaitingForReady: true })
  queue.on('error', () => {})
  const call = (delivery: Partial<Delivery>) =>
    jobCall(queue, { ...delivered('tsk_1').delivery!, ...delivery })

  for (const [script, delivery] of [
    ['addStandardJob', {}],
    ['addPrioritizedJob', { priority: 1 }],
    ['addDelayedJob', { delayMs: 1 }],
  ] as const) {
    const { keys, args, ...found } = call(delivery)
    expect(found.script).toBe(script)
    expect(keys).toHaveLength(BULL_SCRIPTS[script].keys)
    const [about, data, options] = args as [Buffer, string, Buffer]
    const [prefix, id, name, timestamp, ...rest] = unpack(about)
    const own = jobArguments(queue, { ...delivered('tsk_1').delivery!, ...delivery })
    expect(own).toEqual([[prefix, id, name, expect.any(Number)], data, unpack(options)])
    expect([timestamp, ...rest]).toEqual([expect.any(Number), null, null, null, null, null, null])
    // Where it would unpack more than that, or pack something, it would meet what stands for its cmsgpack.
    expect(BULL_SCRIPTS[script].content.match(/cmsgpack.*/g)).toEqual([
      'cmsgpack.unpack(ARGV[1])',
      'cmsgpack.unpack(ARGV[3])',
    ])
  }
  void queue.disconnect()
})
