import { describe, expect } from 'vitest'
import { ACME, BIG, type LimiterFixture, test } from './limiter-test.ts'

describe('concurrency', () => {
  test('lets through as many as it says, and gives a slot that is left to who waits longest', async ({
    fixture: { limit, enter, limiter, keysLeft, leave },
  }) => {
    await limit({ [BIG]: { concurrency: 2 } })
    expect([await enter('a', [BIG]), await enter('b', [BIG])]).toEqual(['open', 'open'])
    expect(await enter('c', [BIG])).toBe(`${BIG} 2/2 concurrency #1`)
    expect(await enter('d', [BIG])).toBe(`${BIG} 2/2 concurrency #2`)
    expect(await enter('c', [BIG])).toBe(`${BIG} 2/2 concurrency #1`)

    expect(await leave('a')).toEqual(['c'])
    // The slot is given away already, so nobody comes in between.
    expect(await enter('e', [BIG])).toBe(`${BIG} 2/2 concurrency #2`)
    expect(await limiter.isGranted('c')).toBe(true)
    expect(await enter('c', [BIG])).toBe('open')
    for (const id of ['b', 'c', 'd', 'e']) await leave(id)
    expect(await keysLeft()).toEqual([])
  })

  test('is held once by who asks twice, and left twice without harm', async ({
    fixture: { limit, enter, leave },
  }) => {
    await limit({ [BIG]: { concurrency: 2 } })
    await enter('a', [BIG])
    expect(await enter('a', [BIG])).toBe('open')
    expect(await enter('b', [BIG])).toBe('open')
    await enter('c', [BIG])

    expect(await leave('a')).toEqual(['c'])
    expect(await leave('a')).toEqual([])
  })

  test('of model and provider is taken together or not at all', async ({
    fixture: { limit, enter, leave },
  }) => {
    await limit({ [BIG]: { concurrency: 1 }, [ACME]: { concurrency: 2 }, 'model:acme/nano': {} })
    expect(await enter('a', [BIG, ACME])).toBe('open')
    expect(await enter('b', [BIG, ACME])).toBe(`${BIG} 1/1 concurrency #1`)
    // Who was refused by its model holds nothing of the provider.
    expect(await enter('c', ['model:acme/nano', ACME])).toBe('open')
    expect(await enter('d', ['model:acme/nano', ACME])).toBe(`${ACME} 2/2 concurrency #1`)

    // What is left of the provider goes to who waits for it first, who waits for both.
    expect(await leave('c')).toEqual(['d'])
    expect(await leave('d')).toEqual([])
    expect(await leave('a')).toEqual(['b'])
  })

  test('moves who was refused by one limit into the line of another that refuses it now', async ({
    fixture: { limit, enter, leave },
  }) => {
    await limit({ [BIG]: { concurrency: 1 }, [ACME]: { concurrency: 1 } })
    await enter('a', [BIG])
    await enter('b', [ACME])
    expect(await enter('c', [BIG, ACME])).toBe(`${BIG} 1/1 concurrency #1`)

    expect(await leave('a')).toEqual([])
    expect(await enter('c', [BIG, ACME])).toBe(`${ACME} 1/1 concurrency #1`)
    expect(await enter('d', [BIG])).toBe('open')
    expect(await leave('b')).toEqual([])
    expect(await leave('d')).toEqual(['c'])
  })

  test('goes round the keys that wait, whoever came first', async ({ fixture: { limit, enter, leave } }) => {
    await limit({ [BIG]: { concurrency: 1 } })
    await enter('first', [BIG], { key: 'a' })
    for (const id of ['a1', 'a2', 'a3', 'a4']) await enter(id, [BIG], { key: 'a' })
    for (const id of ['b1', 'b2']) await enter(id, [BIG], { key: 'b' })

    const order: string[] = []
    for (let last = 'first'; ; last = order.at(-1)!) {
      const next = await leave(last)
      if (next.length === 0) break
      order.push(...next)
      // Who comes late waits for the round to end, not for all that came before.
      if (order.length === 3) await enter('c1', [BIG], { key: 'c' })
    }
    expect(order).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'c1', 'a4'])
  })

  test('that is raised lets through as many as fit, that is removed all', async ({
    fixture: { limit, enter, leave },
  }) => {
    await limit({ [BIG]: { concurrency: 1 } })
    for (const id of ['a', 'b', 'c', 'd', 'e']) await enter(id, [BIG])

    expect(await limit({ [BIG]: { concurrency: 3 } })).toEqual(['b', 'c'])
    expect(await limit({ [BIG]: { concurrency: 2 } })).toEqual([])
    expect(await leave('a')).toEqual([])
    expect(await limit({})).toEqual(['d', 'e'])
    expect(await enter('f', [BIG])).toBe('open')
  })

  test('tells who was let through and has not left', async ({
    fixture: { limit, limiter, enter, leave },
  }) => {
    await limit({ [BIG]: { concurrency: 2 } })
    for (const id of ['a', 'b', 'c']) await enter(id, [BIG])
    await leave('a')

    const found: string[] = []
    for await (const ids of limiter.holders()) found.push(...ids)
    expect(found.sort()).toEqual(['b', 'c'])
  })

  test('holds among those that ask, and leave, at once', async ({
    fixture: { limit, enter, leave, limiter, woken },
  }) => {
    await limit({ [BIG]: { concurrency: 2 } })
    const asked = await Promise.all(['a', 'b', 'c', 'd'].map((id) => enter(id, [BIG])))
    expect(asked).toEqual(['open', 'open', `${BIG} 2/2 concurrency #1`, `${BIG} 2/2 concurrency #2`])

    const [, , late] = await Promise.all([limiter.leave('a'), limiter.leave('b'), enter('e', [BIG])])
    expect(woken()).toEqual(['c', 'd'])
    expect(late).toBe(`${BIG} 2/2 concurrency #1`)
    expect(await leave('c')).toEqual(['e'])
  })

  test('is not asked for by a turn that was sent already', async ({ fixture: { limit, enter } }) => {
    await limit({ [BIG]: { concurrency: 1, requestsPerMinute: 1 } })
    await enter('a', [BIG])

    expect(await enter('b', [BIG], { how: 'sent' })).toBe('open')
  })
})

describe('tasks below others', () => {
  const setUp = async ({ limit, enter, redis }: LimiterFixture, keys: { live: string; children: KeyOf }) => {
    await limit({ [BIG]: { concurrency: 1 }, [ACME]: { concurrency: 1 } })
    const child = async (id: string, parent: string) => {
      await redis.zadd(keys.live, 0, id)
      await redis.zadd(keys.children(parent), 0, id)
    }
    return { child, below: (id: string, depth: number, limit = BIG) => enter(id, [limit], { depth }) }
  }

  test('use the slot of one that waits, one at a time on each level', async ({
    fixture,
    redis: { keys },
  }) => {
    const { child, below } = await setUp(fixture, keys)
    const { enter, keysLeft, redis, leave } = fixture
    await enter('parent', [BIG])
    for (const id of ['c1', 'c2']) await child(id, 'parent')
    await child('grandchild', 'c1')

    expect(await enter('other', [BIG])).toBe(`${BIG} 1/1 concurrency #1`)
    expect(await below('c1', 2)).toBe('open')
    expect(await below('c2', 2)).toBe(`${BIG} 1/1 concurrency #1`)
    expect(await below('grandchild', 3)).toBe('open')
    expect(await leave('grandchild')).toEqual([])
    // Its slot is free for the other child, and not for who has nobody that waits for it.
    await redis.zrem(keys.live, 'c1')
    expect(await leave('c1')).toEqual(['c2'])
    await redis.zrem(keys.live, 'c2')
    expect(await leave('c2')).toEqual([])
    expect(await leave('parent')).toEqual(['other'])
    await leave('other')
    expect(await keysLeft()).toEqual([])
  })

  test('use the slot of a parent of another tree, so that two never wait for each other', async ({
    fixture,
    redis: { keys },
  }) => {
    const { child, below } = await setUp(fixture, keys)
    await fixture.enter('one', [BIG])
    await fixture.enter('two', [ACME])
    await child('below-one', 'one')
    await child('below-two', 'two')

    expect(await below('below-one', 2, ACME)).toBe('open')
    expect(await below('below-two', 2, BIG)).toBe('open')
  })

  test('are told from those above, also where both came at once', async ({ fixture, redis: { keys } }) => {
    const { child, below } = await setUp(fixture, keys)
    await fixture.limit({ [BIG]: { concurrency: 2 } })
    const limits = [BIG]
    await Promise.all([
      fixture.enter('above', limits, { depth: 1 }),
      fixture.enter('beside', limits, { depth: 2 }),
    ])
    for (const parent of ['above', 'beside']) await child(`below-${parent}`, parent)

    expect(await below('below-above', 2)).toBe('open')
    expect(await below('another', 2)).toBe(`${BIG} 2/2 concurrency #1`)
  })

  test('use no slot of a task that does not wait', async ({ fixture, redis: { keys } }) => {
    const { child, below } = await setUp(fixture, keys)
    await fixture.enter('busy', [BIG])
    await child('child', 'parent')

    expect(await below('child', 2)).toBe(`${BIG} 1/1 concurrency #1`)
  })

  test('keep the slot when the parent leaves before them', async ({ fixture, redis: { keys } }) => {
    const { child, below } = await setUp(fixture, keys)
    const { enter, leave } = fixture
    await enter('parent', [BIG])
    await child('child', 'parent')
    await child('grandchild', 'child')
    await below('child', 2)
    await below('grandchild', 3)

    expect(await leave('child')).toEqual([])
    expect(await leave('parent')).toEqual([])
    expect(await enter('other', [BIG])).toBe(`${BIG} 1/1 concurrency #1`)
    expect(await leave('grandchild')).toEqual(['other'])
  })
})

type KeyOf = (id: string) => string
