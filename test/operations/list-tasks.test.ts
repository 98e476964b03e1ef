import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { listTasks } from '../../src/operations/list-tasks.ts'
import { comparisonRoute } from '../../src/tasks/comparison-route.ts'
import { type ListQuery, ListQuery as ListQuerySchema } from '../../src/tasks/list-query.ts'
import type { Task } from '../../src/tasks/task.ts'
import { createTaskID } from '../../src/tasks/task-id.ts'
import { CANCELLED, newTask, type RecordsFixture, ROUTE, test, writeOf } from '../records/records-test.ts'

const NOW = 1_000_000

describe('listTasks()', () => {
  test('gives all, newest first, page by page', async ({ records }) => {
    const ids = await createMany(records, 450)

    const pages = await allPages(records, { limit: 200 })

    expect(pages.map((page) => page.length)).toEqual([200, 200, 50])
    expect(pages.flat().map(({ id }) => id)).toEqual(ids.reverse())
  })

  test('has no next page when the last one is just full', async ({ records }) => {
    await createMany(records, 3)

    expect((await list(records, { limit: 3 })).nextCursor).toBeNull()
    expect((await list(records, { limit: 2 })).nextCursor).not.toBeNull()
  })

  test('is empty where there is nothing', async ({ records }) => {
    expect(await list(records, {})).toEqual({ data: [], nextCursor: null })
  })

  test('filters by everything at once, like a look at all of them', async ({ records }) => {
    const tasks = await variousTasks(records, 60)
    const filter = fc.record(
      {
        state: fc.constantFrom('waiting', 'delayed', 'running', 'succeeded', 'failed', 'cancelled'),
        type: fc.constantFrom('lint', 'analysis'),
        tier: fc.constantFrom('fast', 'powerful'),
        model: fc.constantFrom('acme/nano', 'acme/big'),
        metadata: fc.constantFrom(
          { team: 'a' },
          { team: 'b', n: '1' },
          { urgent: 'true' },
          { none: 'undefined' },
        ),
        since: fc.integer({ min: 1_000, max: 1_070 }),
        limit: fc.integer({ min: 1, max: 30 }),
      },
      { requiredKeys: [] },
    )

    await fc.assert(
      fc.asyncProperty(filter, async (query) => {
        const found = (await allPages(records, query as Partial<ListQuery>)).flat()
        expect(found.map(({ id }) => id)).toEqual(
          tasks
            .filter((task) => matches(task, query as Partial<ListQuery>))
            .map(({ id }) => id)
            .reverse(),
        )
      }),
      { numRuns: 100 },
    )
  })

  test('finds no comparison by the model that its route names, since it runs on none', async ({
    records,
  }) => {
    const plain = await records.create('waiting')
    const route = comparisonRoute(ROUTE, ['acme/nano', 'acme/big'])
    const comparison = await records.create('waiting', { route: JSON.stringify(route) })

    expect((await list(records, { model: 'acme/nano' })).data.map(({ id }) => id)).toEqual([plain])
    expect((await list(records, {})).data.map(({ id }) => id)).toEqual([comparison, plain])
  })

  test('shows a delayed task as waiting once its time has come, and finds it so', async ({ records }) => {
    const due = await records.create('delayed', { delayUntil: NOW - 1 })
    const early = await records.create('delayed', { delayUntil: NOW + 1 })

    expect((await list(records, { state: 'waiting' })).data.map(({ id }) => id)).toEqual([due])
    expect((await list(records, { state: 'delayed' })).data.map(({ id }) => id)).toEqual([early])
  })

  test('reads a bounded number of records for a rare filter, and goes on at the cursor', async ({
    records,
  }) => {
    const rare = await records.create('waiting', ofType('rare'))
    await createMany(records, 2_100)

    const first = await list(records, { type: 'rare' })
    expect(first.data).toEqual([])
    expect(first.nextCursor).not.toBeNull()
    const second = await list(records, { type: 'rare', cursor: first.nextCursor! })

    expect(second).toMatchObject({ data: [{ id: rare }], nextCursor: null })
  })

  test('goes on at a cursor whose task is gone, and over holes', async ({ records }) => {
    const ids = await createMany(records, 4)
    const first = await list(records, { limit: 2 })
    await records.store.cancel(ids[2]!, 2_000, CANCELLED)
    await records.store.remove(ids[2]!)

    const second = await list(records, { limit: 2, cursor: first.nextCursor! })

    expect(second.data.map(({ id }) => id)).toEqual([ids[1], ids[0]])
  })
})

function list({ store }: RecordsFixture, query: Partial<ListQuery>) {
  return listTasks(store, { limit: 50, ...query }, NOW)
}

async function allPages(records: RecordsFixture, query: Partial<ListQuery>): Promise<Task[][]> {
  const pages: Task[][] = []
  let cursor: string | undefined
  for (;;) {
    const page = await list(records, { ...query, ...(cursor && { cursor }) })
    pages.push(page.data)
    if (page.nextCursor === null) return pages
    cursor = ListQuerySchema.parse({ cursor: page.nextCursor }).cursor
  }
}

function ofType(type: string) {
  return { input: JSON.stringify({ prompt: 'x', type }) }
}

/** Oldest first. */
async function createMany({ creatorFor }: RecordsFixture, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => createTaskID())
  const create = creatorFor(10_000)
  await Promise.all(ids.map((id) => create(newTask(id))))
  return ids
}

/** In every state, with every combination of what can be filtered; created a millisecond apart. */
async function variousTasks(records: RecordsFixture, count: number): Promise<Task[]> {
  const { store } = records
  const ids: string[] = []
  for (let index = 0; index < count; index += 1) {
    const metadata = [{}, { team: 'a' }, { team: 'b', n: 1 }, { urgent: true }][index % 4]
    const type = [undefined, undefined, 'analysis', 'analysis', 'lint'][index % 5]
    const isBig = index % 7 === 0
    const id = await records.create(index % 6 === 1 ? 'delayed' : 'waiting', {
      createdAt: 1_000 + index,
      input: JSON.stringify({ prompt: 'x', metadata, type }),
      ...(index % 6 === 1 && { delayUntil: NOW + 1 }),
      ...(isBig && { route: JSON.stringify({ ...ROUTE, tier: 'powerful', model: 'acme/big' }) }),
    })
    ids.push(id)
    const to = [undefined, undefined, 'running', 'succeeded', 'failed', 'cancelled'][index % 6]
    if (to === undefined) continue
    const record = await records.claimed(id)
    if (to !== 'running') await store.write(writeOf(record, { to: to as 'failed' }))
  }
  return (await Promise.all(ids.map((id) => listTasks(store, { limit: 1, cursor: `${id}z` }, NOW)))).map(
    ({ data }) => data[0]!,
  )
}

function matches(task: Task, { state, type, tier, model, metadata, since }: Partial<ListQuery>): boolean {
  return (
    (state ?? task.state) === task.state &&
    (type ?? task.type) === task.type &&
    (tier ?? task.tier) === task.tier &&
    (model ?? task.model) === task.model &&
    task.createdAt >= (since ?? 0) &&
    Object.entries(metadata ?? {}).every(([key, value]) => `${task.metadata[key] ?? ''}` === value)
  )
}
