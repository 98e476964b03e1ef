/** Tasks that are under way while Redis changes under them, and the check that each of them ended once. */
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import type { StreamItem } from '../../src/tasks/event.ts'
import { type CoreFixture, finished, itemsOf, textsOf, typesOf } from '../setup/core-test.ts'
import { eventually } from '../setup/eventually.ts'

/** Starts so many tasks which have begun their answer and go on when the hold `here` is released. */
export async function submitAndHold(
  { tasks }: Orchestrator,
  { holds }: CoreFixture['backend'],
  count: number,
): Promise<string[]> {
  const ids: string[] = []
  for (let i = 0; i < count; i += 1)
    ids.push((await tasks.submit({ prompt: '@say: Before @hold:here @say: and after' })).id)
  await holds.held('here', count)
  return ids
}

/** Reads the events of each task from now on; resolves when all have begun, to what each of them heard in the end. */
export async function readThroughout(
  { tasks }: Orchestrator,
  ids: readonly string[],
): Promise<() => Promise<StreamItem[][]>> {
  const heard = ids.map((): StreamItem[] => [])
  const signal = new AbortController().signal
  const reading = ids.map(async (id, index) => {
    for await (const item of tasks.events(id, { after: 0, signal })) heard[index]!.push(item)
    return heard[index]!
  })
  await eventually(() => {
    for (const items of heard) expect(textsOf(items)).toEqual(['Before'])
  })
  return () => Promise.all(reading)
}

/** Submits with an idempotency key while Redis may be away, as a client does. */
export function createSubmitter({ tasks }: Orchestrator) {
  const given: Promise<string>[] = []
  return {
    async submit(): Promise<void> {
      const idempotencyKey = randomUUID()
      const attempt = async () => (await tasks.submit({ prompt: '@say: Later', idempotencyKey })).id
      const first = await attempt().catch((error) => {
        expect(error).toMatchObject({ code: 'redis_unavailable' })
      })
      given.push(first === undefined ? eventually(attempt) : Promise.resolve(first))
    },
    /** The ids of all, when all are accepted. */
    accepted: () => Promise.all(given),
  }
}

/** `heard`: what was read of some of these tasks since before it happened. */
export async function expectAllEndOnce(
  { backend }: CoreFixture,
  orchestrator: Orchestrator,
  ids: readonly string[],
  heard?: () => Promise<StreamItem[][]>,
): Promise<void> {
  for (const id of ids) {
    const task = await eventually(() => finished(orchestrator, id))
    expect(task).toMatchObject({ state: 'succeeded' })
    // Of the two connections of a process the other one may not be back yet.
    const items = await eventually(() => itemsOf(orchestrator, id))
    expect(textsOf(items).join('')).toBe(task.result!.text)
    expect(typesOf(items).filter((type) => type === 'end')).toHaveLength(1)
  }
  const all = (await eventually(() => orchestrator.tasks.list({ limit: 200 }))).data
  expect(all.map(({ id }) => id).sort()).toEqual([...ids].sort())
  expect(backend.ledger.paid()).toHaveLength(ids.length)
  for (const items of (await heard?.()) ?? []) {
    expect(typesOf(items).at(-1)).toBe('end')
    expect(textsOf(items).join('')).toBe('Before and after')
  }
}
