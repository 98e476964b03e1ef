import { describe, expect } from 'vitest'
import { createStraySweeper } from '../../src/dispatch/sweep-strays.ts'
import type { TaskRecord } from '../../src/records/task-record.ts'
import { createMemoryBackend, type MemoryBackend } from '../doubles/memory-backend.ts'
import { finished, test } from '../setup/core-test.ts'

const MINUTE_MS = 60_000
const never = new AbortController().signal

describe('the sweeper of strays', () => {
  test('removes empty sessions beside the one of the task, once they are a minute old', async ({
    core: { startWorking, backend, records },
  }) => {
    const orchestrator = await startWorking()
    const { id } = await orchestrator.tasks.submit({ prompt: 'Hello' })
    const { sessionID: own } = await finished(orchestrator, id)
    const stray = await open(backend, id)
    let now = Date.now()
    const swept: string[] = []
    const sweep = createStraySweeper({
      backends: [backend],
      records,
      now: () => now,
      onSwept: ({ sessionID }) => swept.push(sessionID),
    })

    await sweep()
    expect(swept).toEqual([])
    now += 2 * MINUTE_MS
    await sweep()

    expect(swept).toEqual([stray])
    expect(await backend.findSession(stray)).toBeUndefined()
    expect(await backend.findSession(own!)).toBeDefined()
  })

  test('leaves alone what may still be needed, and what is not its own', async () => {
    const backend = createMemoryBackend()
    const records: Record<string, Partial<TaskRecord>> = {
      tsk_starting: { state: 'waiting', sessionID: null },
      tsk_cancelled: { state: 'cancelled', sessionID: null },
      tsk_running: { state: 'running', sessionID: 'ses_other' },
    }
    const opened: Record<string, string> = {}
    for (const name of ['tsk_starting', 'tsk_cancelled', 'tsk_running', 'tsk_unknown', 'tsk_running.1'])
      opened[name] = await open(backend, name)
    const swept: string[] = []
    const sweep = createStraySweeper({
      backends: [backend],
      records: { readMany: async (ids) => ids.map((id) => records[id] as TaskRecord | undefined) },
      now: () => Date.now() + 2 * MINUTE_MS,
      onSwept: ({ taskID }) => swept.push(taskID),
    })

    await sweep()

    expect(swept.sort()).toEqual(['tsk_cancelled', 'tsk_running', 'tsk_running.1'])
  })

  test('looks at a server that was away from where it left off, and at the others meanwhile', async () => {
    const [first, second] = [
      createMemoryBackend({ server: 'first' }),
      createMemoryBackend({ server: 'second' }),
    ]
    await open(first, 'tsk_a')
    await open(second, 'tsk_b')
    let now = Date.now() + 2 * MINUTE_MS
    const swept: string[] = []
    const sweep = createStraySweeper({
      backends: [first, second],
      records: {
        readMany: async (ids) => ids.map(() => ({ state: 'failed', sessionID: null }) as TaskRecord),
      },
      now: () => now,
      onSwept: ({ taskID }, server) => swept.push(`${server} ${taskID}`),
    })

    first.setAway(true)
    await sweep()
    expect(swept).toEqual(['second tsk_b'])
    first.setAway(false)
    now += MINUTE_MS
    await sweep()

    expect(swept).toEqual(['second tsk_b', 'first tsk_a'])
  })
})

async function open(backend: MemoryBackend, taskID: string): Promise<string> {
  const request = {
    taskID,
    title: taskID,
    model: 'acme/nano',
    directory: undefined,
    mayExist: false,
    rules: [],
  } as const
  return (await backend.openSession(request, never)).sessionID
}
