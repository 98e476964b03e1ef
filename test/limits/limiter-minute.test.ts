import { describe, expect } from 'vitest'
import type { Limiter, LimitRequest } from '../../src/limits/limiter.ts'
import { ACME, BIG, test } from './limiter-test.ts'

describe('requests and tokens per minute', () => {
  test('are counted over the last sixty seconds, and say when there is room', async ({
    fixture: { limit, enter, limiter, age, leave, woken },
  }) => {
    await limit({ [ACME]: { requestsPerMinute: 2 } })
    const startedAt = Date.now()
    await enter('a', [ACME])
    await age(20_000)
    await enter('b', [ACME])
    expect(await enter('c', [ACME])).toBe(`${ACME} 2/2 requests #1`)
    const answers = [await waitOf(limiter, 'c'), await waitOf(limiter, 'd'), await waitOf(limiter, 'e')]
    const tookMs = Date.now() - startedAt
    for (const [index, seconds] of [40, 60, 100].entries()) {
      expect(answers[index]).toBeGreaterThanOrEqual(seconds * 1000 - tookMs)
      // A second at most is added for the part of it that has passed.
      expect(answers[index]).toBeLessThanOrEqual((seconds + 1) * 1000)
    }

    // Leaving gives nothing back.
    expect(await leave('a')).toEqual([])
    await age(20_000)
    expect(await enter('c', [ACME])).toBe(`${ACME} 2/2 requests #1`)
    await age(21_000)
    expect(await enter('c', [ACME])).toBe('open')
    await age(61_000)
    // Who asks first then wakes those who are before it.
    expect(await limiter.enter(request('f'))).toMatchObject({ status: 'shut' })
    expect(woken()).toEqual(['d', 'e'])
  })

  test('are corrected when it is known what a turn has cost', async ({
    fixture: { limit, enter, leave },
  }) => {
    await limit({ [ACME]: { requestsPerMinute: 10, tokensPerMinute: 1000 } })
    const tokens = (number: number) => ({ cost: { requests: 1, tokens: number } })
    expect(await enter('a', [ACME], tokens(900))).toBe('open')
    expect(await enter('b', [ACME], tokens(200))).toBe(`${ACME} 900/1000 tokens #1`)

    expect(await leave('a', { requests: 4, tokens: 500 })).toEqual(['b'])
    await leave('b', { requests: 6, tokens: 100 })
    expect(await enter('c', [ACME], tokens(500))).toBe(`${ACME} 10/10 requests #1`)
  })

  test.for([
    { requests: 1, tokens: 300 },
    { requests: 5, tokens: 100 },
  ])(
    'are kept for each of those that ask at once: %o',
    async (cost, { fixture: { limit, enter, leave, age } }) => {
      await limit({ [BIG]: { requestsPerMinute: 10, tokensPerMinute: 1000 } })
      // One list for all, as of tasks of one kind.
      const limits = [BIG]
      await Promise.all([
        enter('a', limits, { cost: { requests: 1, tokens: 100 } }),
        enter('b', limits, { cost }),
        enter('c', limits, { cost: { requests: 1, tokens: 100 } }),
      ])

      for (const id of ['a', 'b', 'c']) await leave(id, { requests: 0, tokens: 0 })
      await age(1_000)
      expect(await enter('d', [BIG], { cost: { requests: 10, tokens: 1000 } })).toBe('open')
      await leave('d', { requests: 1, tokens: 1 })
      expect(await enter('e', [BIG], { cost: { requests: 9, tokens: 999 } })).toBe('open')
    },
  )

  test('let a turn through that is larger than a minute, when nothing else was', async ({
    fixture: { limit, enter, age },
  }) => {
    await limit({ [BIG]: { tokensPerMinute: 100 } })
    const large = { cost: { requests: 1, tokens: 5000 } }
    expect(await enter('a', [BIG], large)).toBe('open')
    expect(await enter('b', [BIG], large)).toBe(`${BIG} 5000/100 tokens #1`)
    await age(61_000)
    expect(await enter('b', [BIG], large)).toBe('open')
  })

  test('are asked again for a further turn of a task that runs, which keeps its slot', async ({
    fixture: { limit, enter, limiter },
  }) => {
    await limit({ [BIG]: { concurrency: 1, requestsPerMinute: 5 } })
    await enter('a', [BIG])
    await enter('b', [BIG])
    const next = (requests: number) => enter('a', [BIG], { how: 'next', before: { requests, tokens: 0 } })

    expect(await next(3)).toBe('open')
    expect(await limiter.isGranted('b')).toBe(false)
    // Its slot goes to who waits when it must wait itself: here for the same minute.
    expect(await next(2)).toBe(`${BIG} 5/5 requests #2`)
  })

  test('a further turn on another model changes the slot', async ({
    fixture: { limit, enter, limiter, woken },
  }) => {
    await limit({ [BIG]: { concurrency: 1 }, [ACME]: { concurrency: 1 } })
    await enter('a', [BIG])
    await enter('b', [BIG])

    const answer = await limiter.enter({
      ...{ taskID: 'a', key: null, depth: 1, limits: [ACME], cost: { requests: 1, tokens: 0 }, how: 'next' },
    })
    expect(answer).toEqual({ status: 'open' })
    expect(woken()).toEqual(['b'])
    expect(await enter('c', [ACME])).toBe(`${ACME} 1/1 concurrency #1`)
  })
})

const request = (taskID: string): LimitRequest => ({
  ...{ taskID, key: null, depth: 1, limits: [ACME], cost: { requests: 1, tokens: 0 }, how: 'start' },
})

async function waitOf(limiter: Limiter, id: string): Promise<number> {
  const answer = await limiter.enter(request(id))
  return answer.status === 'shut' ? answer.opensInMs! : -1
}
