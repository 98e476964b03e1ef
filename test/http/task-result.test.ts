import { get } from 'node:http'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Task, TaskOutcome } from '../../src/tasks/task.ts'
import { closeAll, type RunningHttp, send, startHttp } from './start-http.ts'

let http: RunningHttp

beforeAll(async () => {
  http = await startHttp()
})
afterAll(closeAll)

const submit = (server: RunningHttp = http) => server.ports.tasks.submit({ prompt: 'a' })

test('a finished task gives its outcome, however it ended', async () => {
  for (const state of ['succeeded', 'failed', 'cancelled'] as const) {
    const { id } = await submit()
    http.ports.finish(id, state, { text: 'fine' })
    const answer = await send(`${http.url}/v1/tasks/${id}/result?waitMs=60000`)

    expect([answer.status, TaskOutcome.strict().parse(answer.json())]).toMatchObject([200, { id, state }])
  }
})

test('an unfinished one gives the task, at once or after waitMs', async () => {
  const { id } = await submit()
  for (const query of ['', '?waitMs=0', '?waitMs=20']) {
    const answer = await send(`${http.url}/v1/tasks/${id}/result${query}`)

    expect([answer.status, Task.parse(answer.json())]).toMatchObject([202, { id, state: 'waiting' }])
  }
})

test('the end is told while somebody waits', async () => {
  const { id } = await submit()
  const wait = vi.spyOn(http.ports.tasks, 'whenFinished')
  const answer = send(`${http.url}/v1/tasks/${id}/result?waitMs=60000`)
  await vi.waitFor(() => expect(wait).toHaveBeenCalled())
  http.ports.finish(id, 'succeeded', { text: 'fine' })

  expect((await answer).json()).toMatchObject({ state: 'succeeded', result: { text: 'fine' } })
})

test('the wait stops when the client leaves', async () => {
  const { id } = await submit()
  const wait = vi.spyOn(http.ports.tasks, 'whenFinished')
  const request = get(`${http.url}/v1/tasks/${id}/result?waitMs=60000`, { agent: false }).on(
    'error',
    () => {},
  )
  await vi.waitFor(() => expect(wait.mock.calls.at(-1)?.[0]).toBe(id))
  request.destroy()

  await vi.waitFor(() => expect(wait.mock.calls.at(-1)![2].aborted).toBe(true))
})

test('who waits while the server closes gets the task as it stands', async () => {
  const http = await startHttp()
  const { id } = await submit(http)
  const wait = vi.spyOn(http.ports.tasks, 'whenFinished')
  const answer = send(`${http.url}/v1/tasks/${id}/result?waitMs=60000`)
  await vi.waitFor(() => expect(wait).toHaveBeenCalled())
  await http.server.close()

  expect((await answer).json()).toMatchObject({ id, state: 'waiting' })
})
