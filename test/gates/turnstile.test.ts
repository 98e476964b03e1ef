import { describe, expect } from 'vitest'
import { createTurnstile, type Turnstile, type TurnstileOptions } from '../../src/gates/turnstile.ts'
import type { TaskRecord } from '../../src/records/task-record.ts'
import { scriptSource, scriptsOn } from '../../src/redis/scripts.ts'
import { test as base } from '../setup/redis-test.ts'

/** `leave` and `look` give who was woken by them. */
interface TestedTurnstile extends Omit<Turnstile, 'leave' | 'look'> {
  leave(id: string): Promise<string[]>
  look(): Promise<string[]>
}

interface TurnstileFixture {
  open(options?: Partial<TurnstileOptions>): TestedTurnstile
  /** Gives a task its place in line, as its submit does: how many are before it. */
  join(id: string): Promise<number>
  /** Tasks that can hold and want nothing any more. */
  gone: Set<string>
  keysLeft(): Promise<string[]>
}

const test = base.extend<{ gate: TurnstileFixture }>({
  gate: async ({ redis: { keys, connect } }, use) => {
    const redis = await connect('fail')
    const gone = new Set<string>()
    const woken: string[] = []
    const deps = {
      redis,
      scripts: scriptsOn(redis),
      keys,
      withoutClaim: async ({
        holders,
        waiters,
      }: {
        holders: readonly string[]
        waiters: readonly string[]
      }) => [...holders, ...waiters].filter((id) => gone.has(id)),
      wake: async (ids: readonly string[]) => void woken.push(...ids),
    }
    const join = `${scriptSource('line')} return join_line(ARGV[1], ARGV[2], ARGV[3])`
    await use({
      gone,
      join: async (id) => (await redis.eval(join, 0, keys.root, 'session:ses_1', id)) as number,
      open(options) {
        const gate = createTurnstile(deps, {
          name: 'session:ses_1',
          reason: 'session',
          heldFor: 'task',
          isStrict: true,
          detail: (before) => `${before} before it`,
          ...options,
        })
        return {
          ...gate,
          async leave(id) {
            await gate.leave(id)
            return woken.splice(0)
          },
          async look() {
            await gate.look()
            return woken.splice(0)
          },
        }
      },
      keysLeft: () => redis.keys(`${keys.root}:gate:*`),
    })
  },
})

describe('a strict turnstile', () => {
  test('lets tasks through in the order they joined, whoever asks first', async ({
    gate: { open, join },
  }) => {
    const gate = open()
    expect([await join('a'), await join('b'), await join('c')]).toEqual([0, 1, 2])

    expect(await gate.enter(task('b'))).toMatchObject({ status: 'shut', detail: '1 before it', until: null })
    expect(await gate.enter(task('a'))).toEqual({ status: 'open' })
    expect(await gate.enter(task('b'))).toMatchObject({ status: 'shut', detail: '1 before it' })
    expect(await gate.leave('a')).toEqual(['b'])
    expect(await gate.enter(task('c'))).toMatchObject({ status: 'shut' })
    expect(await gate.enter(task('b'))).toEqual({ status: 'open' })
    expect(await gate.leave('b')).toEqual(['c'])
  })

  test('is open to who holds it, however often that asks: after a take-over, after a backoff', async ({
    gate: { open, join },
  }) => {
    const gate = open()
    await join('a')
    await join('b')
    await gate.enter(task('a'))

    expect(await gate.enter(task('a'))).toEqual({ status: 'open' })
    expect(await gate.enter(task('b'))).toMatchObject({ status: 'shut' })
  })

  test('keeps the place of one whose wake was lost', async ({ gate: { open, join } }) => {
    const gate = open()
    for (const id of ['a', 'b', 'c']) await join(id)
    await gate.enter(task('a'))
    // b is told and never comes.
    expect(await gate.leave('a')).toEqual(['b'])

    expect(await gate.enter(task('c'))).toMatchObject({ status: 'shut', detail: '1 before it' })
    expect(await gate.look()).toEqual(['b'])
    expect(await gate.enter(task('b'))).toEqual({ status: 'open' })
  })

  test('puts one that did not join at the end', async ({ gate: { open, join } }) => {
    const gate = open()
    await join('a')
    expect(await gate.enter(task('z'))).toMatchObject({ status: 'shut' })
    await join('b')

    await gate.enter(task('a'))
    expect(await gate.leave('a')).toEqual(['z'])
  })

  test('passes over one that left while it waited', async ({ gate: { open, join } }) => {
    const gate = open()
    for (const id of ['a', 'b', 'c']) await join(id)
    await gate.enter(task('a'))

    expect(await gate.leave('b')).toEqual([])
    expect(await gate.leave('a')).toEqual(['c'])
  })

  test('that is looked after lets a holder and a first in line go that are gone, and tells the next', async ({
    gate: { open, join, gone },
  }) => {
    const gate = open()
    for (const id of ['a', 'b', 'c']) await join(id)
    await gate.enter(task('a'))
    expect(await gate.look()).toEqual([])
    gone.add('a').add('b')

    expect(await gate.enter(task('c'))).toMatchObject({ status: 'shut' })
    expect(await gate.look()).toEqual(['c'])
    expect(await gate.enter(task('c'))).toEqual({ status: 'open' })
  })

  test('says whether it is open by now to one that is being put off', async ({ gate: { open, join } }) => {
    const gate = open()
    for (const id of ['a', 'b', 'c']) await join(id)
    await gate.enter(task('a'))

    expect([await gate.isOpenTo('b'), await gate.isOpenTo('c')]).toEqual([false, false])
    await gate.leave('a')
    expect([await gate.isOpenTo('b'), await gate.isOpenTo('c')]).toEqual([true, false])
  })

  test('wakes who waits longer before it later, up to ten minutes', async ({ gate: { open, join } }) => {
    const gate = open()
    for (let index = 0; index < 30; index += 1) await join(`t${index}`)

    expect(await gate.enter(task('t2'))).toMatchObject({ wakeInMs: 60_000 })
    expect(await gate.enter(task('t29'))).toMatchObject({ wakeInMs: 600_000 })
  })

  test('leaves nothing behind, and is apart from other gates', async ({ gate: { open, join, keysLeft } }) => {
    const [one, other] = [open(), open({ name: 'session:ses_2' })]
    await join('a')
    expect(await one.enter(task('a'))).toEqual({ status: 'open' })
    expect(await other.enter(task('b'))).toEqual({ status: 'open' })

    await one.leave('a')
    await one.leave('a')
    await other.leave('b')
    expect(await keysLeft()).toEqual([])
  })
})

test('a turnstile that Redis cannot speak of is not open', async ({
  gate: { open },
  redis: { keys, connect },
}) => {
  const gate = open()
  const redis = await connect()
  await redis.set(keys.gate('session:ses_1').waiting, 'no line')

  await expect(gate.isOpenTo('a')).rejects.toThrow('WRONGTYPE')
  await expect(gate.tasks()).rejects.toThrow('WRONGTYPE')
})

describe('a turnstile that is not strict', () => {
  const free = { name: 'directory:/repo', reason: 'directory', isStrict: false } as const

  test('lets through whoever comes while nobody holds it, and wakes who waits by order of submit', async ({
    gate: { open, keysLeft },
  }) => {
    const gate = open(free)
    await gate.enter(task('a', 1))
    expect(await gate.enter(task('d', 4))).toMatchObject({ status: 'shut' })
    expect(await gate.enter(task('c', 3))).toMatchObject({ status: 'shut', detail: '1 before it' })
    expect(await gate.enter(task('d', 4))).toMatchObject({ status: 'shut', detail: '2 before it' })

    expect(await gate.leave('a')).toEqual(['c'])
    expect(await gate.enter(task('e', 5))).toEqual({ status: 'open' })
    // Too late, and so it waits again.
    expect(await gate.enter(task('c', 3))).toMatchObject({ status: 'shut', detail: '1 before it' })
    expect(await gate.leave('e')).toEqual(['c'])
    expect(await gate.enter(task('c', 3))).toEqual({ status: 'open' })
    expect(await gate.leave('c')).toEqual(['d'])
    expect(await gate.leave('d')).toEqual([])
    expect(await keysLeft()).toEqual([])
  })

  test('tells one that is being put off that it was woken', async ({ gate: { open } }) => {
    const gate = open(free)
    await gate.enter(task('a'))
    await gate.enter(task('b'))

    expect(await gate.isOpenTo('b')).toBe(false)
    await gate.leave('a')
    expect(await gate.isOpenTo('b')).toBe(true)
  })

  test('tells one again who was told and did not come', async ({ gate: { open } }) => {
    const gate = open(free)
    for (const [order, id] of ['a', 'b', 'c'].entries()) await gate.enter(task(id, order))
    expect(await gate.leave('a')).toEqual(['b'])

    expect(await gate.look()).toEqual(['b'])
    await gate.enter(task('b'))
    expect(await gate.look()).toEqual([])
  })
})

const task = (id: string, createdAt = 1) => ({ id, createdAt, waitingFor: null }) as TaskRecord
