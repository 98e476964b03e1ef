/** The name of the API key a task was submitted with: budgets, limits and costs ask for it. */
import { expect } from 'vitest'
import { test } from '../setup/core-test.ts'

test('a task keeps the name of its key, over a retry too', async ({
  core: { start, redis },
  redis: { keys },
}) => {
  const { tasks } = await start()
  const keyOf = (id: string) => redis.hget(keys.task(id), 'key')
  const { task } = await tasks.accept({ prompt: 'Hello' }, 'ci')
  const once = await tasks.accept({ prompt: 'Hello', idempotencyKey: 'k' }, 'ci')
  const [item] = await tasks.submitMany([{ prompt: 'Hello' }], 'bot')
  if (item === undefined || !('task' in item)) throw new Error('refused')
  const without = await tasks.submit({ prompt: 'Hello' })

  expect(await Promise.all([task.id, once.task.id, item.task.id, without.id].map(keyOf))).toEqual([
    'ci',
    'ci',
    'bot',
    null,
  ])
  await tasks.cancel(task.id)
  await tasks.retry(task.id)
  expect(await keyOf(task.id)).toBe('ci')
})

test('what is submitted below a task without a key has that of the task', async ({
  core: { start, redis },
  redis: { keys },
}) => {
  const { tasks } = await start()
  const keyOf = (id: string) => redis.hget(keys.task(id), 'key')
  const { task: parent } = await tasks.accept({ prompt: 'Hello' }, 'ci')
  const input = { prompt: 'Hello', parentTaskID: parent.id }
  const child = await tasks.submit(input)
  const { task: ofAnother } = await tasks.accept(input, 'bot')

  expect(await keyOf(child.id)).toBe('ci')
  expect(await keyOf(ofAnother.id)).toBe('bot')
})
