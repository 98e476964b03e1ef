import { expect } from 'vitest'
import { trackRunningTasks } from '../../src/dispatch/running-tasks.ts'
import { eventually } from '../setup/eventually.ts'
import { test } from '../stream/stream-test.ts'

test('cancels the task that is named, and no other', async ({
  stream: { hub },
  redis: { keys },
  records,
}) => {
  const running = await trackRunningTasks(hub, keys, async () => [])
  const [one, other] = [running.enter('tsk_1', false), running.enter('tsk_2', false)]

  await records.redis.publish(keys.control, 'cancel tsk_1')

  await eventually(() => expect(one.cancel.aborted).toBe(true))
  expect(other.cancel.aborted).toBe(false)
  running.close()
})

test('a task that came a second time can be cancelled after its first run is over', async ({
  stream: { hub },
  redis: { keys },
  records,
}) => {
  const running = await trackRunningTasks(hub, keys, async () => [])
  const first = running.enter('tsk_1', false)
  const second = running.enter('tsk_1', false)
  first.leave()
  expect(running.size).toBe(1)

  await records.redis.publish(keys.control, 'cancel tsk_1')

  await eventually(() => expect(second.cancel.aborted).toBe(true))
  second.leave()
  expect(running.size).toBe(0)
  running.close()
})
