import { expect, test } from 'vitest'
import { findSession } from '../../src/operations/find-session.ts'
import { createMemoryBackend } from '../doubles/memory-backend.ts'

test('findSession() waits for no other server once one has the session', async () => {
  const there = createMemoryBackend()
  const { sessionID } = await there.openSession(
    { taskID: 'tsk_1', title: 't', directory: '/work', model: 'acme/nano', mayExist: false },
    new AbortController().signal,
  )
  let left = false
  const silent = {
    ...createMemoryBackend(),
    findSession: (_: string, signal?: AbortSignal) =>
      new Promise<undefined>((_, reject) =>
        signal?.addEventListener('abort', () => {
          left = true
          reject(signal.reason)
        }),
      ),
  }

  const found = await findSession([silent, there], sessionID)

  expect(found).toMatchObject({ sessionID, directory: '/work' })
  expect(found.backend).toBe(there)
  expect(left).toBe(true)
})

test('findSession() says that a session is not there only when no server is away', async () => {
  const [here, away] = [createMemoryBackend(), createMemoryBackend()]
  away.setAway(true)

  await expect(findSession([here, here], 'ses_none')).rejects.toMatchObject({ code: 'session_not_found' })
  await expect(findSession([here, away], 'ses_none')).rejects.toMatchObject({ code: 'opencode_unavailable' })
})
