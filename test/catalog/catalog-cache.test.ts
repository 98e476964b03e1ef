import { describe, expect, test } from 'vitest'
import type { CatalogSnapshot } from '../../src/catalog/catalog.ts'
import { createCatalogCache } from '../../src/catalog/catalog-cache.ts'

describe('get()', () => {
  test('asks once, however many want to know', async () => {
    const { cache, asked, answer } = given()
    const both = [cache.get(), cache.get()]
    answer('first')

    expect(await Promise.all(both)).toEqual([snapshot('first'), snapshot('first')])
    expect(await cache.get()).toEqual(snapshot('first'))
    expect(asked).toEqual([undefined])
  })

  test('asks again in the background after a minute, and gives what it knows meanwhile', async () => {
    const { cache, asked, answer, pass } = await known('old')
    pass(60_001)

    expect(await cache.get()).toEqual(snapshot('old'))
    expect(await cache.get()).toEqual(snapshot('old'))
    expect(asked).toHaveLength(2)
    answer('new')
    await cache.refresh()
    expect(await cache.get()).toEqual(snapshot('new'))
  })

  test('keeps the last good answer while the server is away', async () => {
    const { cache, refuse, pass } = await known('old')
    pass(60_001)

    expect(await cache.get()).toEqual(snapshot('old'))
    refuse()
    expect(await cache.get()).toEqual(snapshot('old'))
    expect(cache.peek()).toEqual(snapshot('old'))
  })

  test('throws while nothing is known, and asks anew each time', async () => {
    const { cache, asked, answer, refuse } = given()
    const first = cache.get()
    refuse()
    await expect(first).rejects.toThrow('away')
    expect(cache.peek()).toBeUndefined()

    const second = cache.get()
    answer('here')

    expect(await second).toEqual(snapshot('here'))
    expect(asked).toHaveLength(2)
  })

  test('keeps directories apart', async () => {
    const { cache, answer } = await known('own')
    const project = cache.get('/project')
    answer('of the project')

    expect(await project).toEqual(snapshot('of the project'))
    expect(await cache.get()).toEqual(snapshot('own'))
  })
})

describe('refresh()', () => {
  test('asks at most every three seconds', async () => {
    const { cache, asked, answer, pass } = await known('old')
    pass(2_999)
    expect(await cache.refresh()).toEqual(snapshot('old'))
    expect(asked).toHaveLength(1)

    pass(1)
    const refreshed = cache.refresh()
    answer('new')

    expect(await refreshed).toEqual(snapshot('new'))
  })

  test('gives the last good answer when nobody answers', async () => {
    const { cache, refuse, pass } = await known('old')
    pass(3_000)
    const refreshed = cache.refresh()
    refuse()

    expect(await refreshed).toEqual(snapshot('old'))
  })
})

test('a thousand directories do not push out what the server offers', async () => {
  const { cache, asked, answer } = await known('own')
  for (let count = 0; count < 1_000; count += 1) {
    const loaded = cache.get(`/project/${count}`)
    answer('a project')
    await loaded
  }

  expect(cache.peek()).toEqual(snapshot('own'))
  expect(await cache.get()).toEqual(snapshot('own'))
  expect(asked.filter((directory) => directory === undefined)).toHaveLength(1)
  // The oldest is forgotten, the newest is not.
  await cache.get('/project/999')
  expect(asked).toHaveLength(1_001)
})

async function known(name: string) {
  const world = given()
  const loaded = world.cache.get()
  world.answer(name)
  await loaded
  return world
}

function given() {
  const asked: (string | undefined)[] = []
  let time = 0
  let waiting = Promise.withResolvers<CatalogSnapshot>()
  const load = (directory: string | undefined) => {
    asked.push(directory)
    waiting = Promise.withResolvers()
    return waiting.promise
  }
  return {
    cache: createCatalogCache(load, () => time),
    asked,
    pass: (ms: number) => {
      time += ms
    },
    answer: (name: string) => waiting.resolve(snapshot(name)),
    refuse: () => waiting.reject(new Error('away')),
  }
}

function snapshot(name: string): CatalogSnapshot {
  return { models: [], defaultModel: null, agents: [name], subagents: [] }
}
