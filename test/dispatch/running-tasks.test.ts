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

  await eventually(() => expect(one.interrupt.signal.reason).toBe('cancelled'))
  expect(other.interrupt.signal.aborted).toBe(false)
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

  await eventually(() => expect(second.interrupt.signal.reason).toBe('cancelled'))
  second.leave()
  expect(running.size).toBe(0)
  running.close()
})

test('all that run are told to stop, and whatever comes yet', async ({
  stream: { hub },
  redis: { keys },
}) => {
  const running = await trackRunningTasks(hub, keys, async () => [])
  const [first, again, over] = ['tsk_1', 'tsk_1', 'tsk_2'].map((id) => running.enter(id, false))
  over!.leave()

  running.stop()
  const late = running.enter('tsk_3', false)

  expect([first!, again!, late].map(({ interrupt }) => interrupt.signal.reason)).toEqual([
    'stop',
    'stop',
    'stop',
  ])
  expect(over!.interrupt.signal.aborted).toBe(false)
  running.close()
})
