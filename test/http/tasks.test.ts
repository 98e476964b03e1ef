/** The answers that are no errors: status, headers, and a body that its schema accepts. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { TierlineError } from '../../src/errors.ts'
import { BatchResult, TaskPage } from '../../src/tasks/list-query.ts'
import { Task } from '../../src/tasks/task.ts'
import {
  Explanation,
  ModelList,
  Readiness,
  RoutesView,
  TierView,
  VersionView,
} from '../../src/tasks/views.ts'
import { closeAll, type RunningHttp, send, startHttp } from './start-http.ts'

let http: RunningHttp

beforeAll(async () => {
  http = await startHttp()
})
beforeEach(() => http.ports.breakWith(undefined))
afterAll(closeAll)

const get = async (path: string) => (await send(http.url + path)).json()
const submit = (fields: object = {}) => http.ports.tasks.submit({ prompt: 'a', ...fields })

describe('POST /v1/tasks', () => {
  test('answers 202 with the task and its place', async () => {
    const body = { type: 'lint', prompt: 'Check a.ts', metadata: { team: 'core' } }
    const answer = await send(`${http.url}/v1/tasks`, { method: 'POST', body })
    const task = Task.parse(answer.json())

    expect([answer.status, answer.headers.location]).toEqual([202, `/v1/tasks/${task.id}`])
    expect(answer.headers['content-type']).toMatch(/^application\/json/)
    expect(task).toMatchObject({ state: 'waiting', type: 'lint', tier: 'fast', metadata: { team: 'core' } })
    expect(await http.ports.tasks.get(task.id)).toEqual(task)
  })

  test('answers 200 with the first answer when the key repeats, for each API key by itself', async () => {
    const { url } = await startHttp({
      apiKeys: [
        { name: 'ci', secret: 'one' },
        { name: 'bot', secret: 'two' },
      ],
    })
    const body = { prompt: 'Once' }
    const post = (secret: string, more: object = {}) =>
      send(`${url}/v1/tasks`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, 'idempotency-key': 'k1' },
        body: { ...body, ...more },
      })
    const [first, again, inBody, other] = [
      await post('one'),
      await post('one'),
      await post('one', { idempotencyKey: 'k1' }),
      await post('two'),
    ]

    expect([first, again, inBody, other].map(({ status }) => status)).toEqual([202, 200, 200, 202])
    expect(again.json()).toEqual(first.json())
    expect(again.headers.location).toBe(first.headers.location)
    expect((other.json() as Task).id).not.toBe((first.json() as Task).id)
  })
})

describe('POST /v1/compare', () => {
  test('answers 202 with the task that waits for the others', async () => {
    const body = { prompt: 'Hello', models: ['acme/nano', 'acme/big'] }
    const answer = await send(`${http.url}/v1/compare`, { method: 'POST', body })
    const task = Task.parse(answer.json())

    expect([answer.status, answer.headers.location]).toEqual([202, `/v1/tasks/${task.id}`])
  })

  test('names what is wrong', async () => {
    const body = { prompt: 'Hello', models: ['acme/nano', 'acme/ big'] }
    const answer = await send(`${http.url}/v1/compare`, { method: 'POST', body })

    expect([answer.status, answer.json()]).toMatchObject([
      422,
      { code: 'invalid_input', errors: [{ field: 'models.1' }] },
    ])
  })
})

describe('POST /v1/tasks/batch', () => {
  test('answers each task by itself, in order', async () => {
    const body = { tasks: [{ prompt: 'a' }, { prompt: '' }, 3, { prompt: 'b', type: 'nope' }] }
    const answer = await send(`${http.url}/v1/tasks/batch`, { method: 'POST', body })
    const { data } = BatchResult.parse(answer.json())

    expect([answer.status, data.map(({ status }) => status)]).toEqual([200, [202, 422, 422, 422]])
  })

  test.each([[{ tasks: [] }], [{ tasks: Array(1001).fill({ prompt: 'a' }) }], [[{ prompt: 'a' }]], [{}]])(
    'refuses %.20o as a whole',
    async (body) => {
      const answer = await send(`${http.url}/v1/tasks/batch`, { method: 'POST', body })

      expect([answer.status, answer.json()]).toMatchObject([422, { code: 'invalid_input' }])
    },
  )
})

describe('GET /v1/tasks/:id/children', () => {
  test('lists those below a task, by state and in pages', async () => {
    const parent = await submit()
    const [first, second] = [
      await submit({ parentTaskID: parent.id }),
      await submit({ parentTaskID: parent.id }),
    ]
    await submit({ parentTaskID: first.id })
    http.ports.finish(second.id, 'succeeded')
    const idsOf = async (query: string) =>
      TaskPage.parse(await get(`/v1/tasks/${parent.id}/children${query}`)).data.map(({ id }) => id)

    expect(await idsOf('')).toEqual([second.id, first.id])
    expect(await idsOf('?state=waiting')).toEqual([first.id])
    expect(await idsOf(`?limit=1&cursor=${second.id}`)).toEqual([first.id])
    expect(await get(`/v1/tasks/${parent.id}/children?tier=fast`)).toMatchObject({ code: 'unknown_field' })
    expect(await get('/v1/tasks/tsk_01k0000000000000000000000a/children')).toMatchObject({
      code: 'task_not_found',
    })
  })
})

describe('GET /v1/tasks', () => {
  test('filters by everything, metadata too, and pages', async () => {
    const metadata = { team: 'list', pr: 7 }
    const ids = []
    for (let n = 0; n < 3; n += 1) ids.unshift((await submit({ type: 'lint', metadata })).id)
    await submit({ type: 'lint', metadata: { team: 'list', pr: 8 } })
    const filters =
      'state=waiting&type=lint&tier=fast&model=acme/nano&since=1&metadata.team=list&metadata.pr=7'

    const first = TaskPage.parse(await get(`/v1/tasks?${filters}&limit=2`))
    const second = TaskPage.parse(await get(`/v1/tasks?${filters}&limit=2&cursor=${first.nextCursor}`))

    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(ids)
    expect(second.nextCursor).toBeNull()
  })
})

describe('GET /v1/tasks/:id', () => {
  test('gives the task', async () => {
    const task = await submit()

    expect(Task.parse(await get(`/v1/tasks/${task.id}`))).toEqual(task)
  })

  test('a HEAD gives the headers alone', async () => {
    const task = await submit()
    const answer = await send(`${http.url}/v1/tasks/${task.id}`, { method: 'HEAD' })

    expect([answer.status, answer.text]).toEqual([200, ''])
  })
})

describe('cancel, retry and remove', () => {
  test('cancel is idempotent', async () => {
    const { id } = await submit()
    for (let n = 0; n < 2; n += 1) {
      const answer = await send(`${http.url}/v1/tasks/${id}/cancel`, { method: 'POST' })
      expect([answer.status, Task.parse(answer.json()).state]).toEqual([200, 'cancelled'])
    }
  })

  test('retry answers 202, and 409 before the end', async () => {
    const { id } = await submit()
    const early = await send(`${http.url}/v1/tasks/${id}/retry`, { method: 'POST' })
    http.ports.finish(id, 'failed')
    const answer = await send(`${http.url}/v1/tasks/${id}/retry`, { method: 'POST' })

    expect([early.status, early.json()]).toMatchObject([409, { code: 'not_finished' }])
    expect([answer.status, answer.headers.location]).toEqual([202, `/v1/tasks/${id}`])
    expect(Task.parse(answer.json())).toMatchObject({ id, state: 'waiting' })
  })

  test('remove answers 204 once, and 409 before the end', async () => {
    const { id } = await submit()
    const remove = () => send(`${http.url}/v1/tasks/${id}`, { method: 'DELETE' })
    const early = await remove()
    http.ports.finish(id, 'succeeded')
    const answer = await remove()

    expect([early.status, answer.status, answer.text]).toEqual([409, 204, ''])
    expect((await remove()).status).toBe(404)
  })
})

describe('what is said of the system', () => {
  test('models, routes and the version', async () => {
    expect(ModelList.parse(await get('/v1/models')).data).toHaveLength(4)
    expect(RoutesView.parse(await get('/v1/routes'))).toMatchObject({ default: 'balanced' })
    expect(VersionView.parse(await get('/v1/version'))).toEqual({
      name: 'tierline',
      version: '1.2.3',
      node: process.version,
    })
  })

  test('explain gives a route or the problem, and queues nothing', async () => {
    const before = await http.ports.tasks.list({ limit: 200 })
    const explain = async (body: object) =>
      Explanation.parse((await send(`${http.url}/v1/routes/explain`, { method: 'POST', body })).json())

    expect(await explain({ prompt: 'a', type: 'analysis' })).toMatchObject({
      route: { tier: 'powerful' },
      problem: null,
    })
    expect(await explain({ prompt: 'a', type: 'x' })).toMatchObject({
      route: null,
      problem: { code: 'unknown_type' },
    })
    expect((await http.ports.tasks.list({ limit: 200 })).data).toHaveLength(before.data.length)
  })

  test('explain takes the name of a key', async () => {
    const explain = (query: string) =>
      send(`${http.url}/v1/routes/explain${query}`, { method: 'POST', body: { prompt: 'a' } })

    expect(Explanation.parse((await explain('?key=ci')).json()).route?.steps[0]?.outcome).toContain('key ci')
    expect((await explain('?kye=ci')).json()).toMatchObject({ code: 'unknown_field' })
    expect((await explain('?key=a%20b')).json()).toMatchObject({ code: 'invalid_input' })
  })

  test('pause and resume give the tier', async () => {
    const paused = await send(`${http.url}/v1/tiers/fast/pause`, { method: 'POST' })
    const resumed = await send(`${http.url}/v1/tiers/fast/resume`, { method: 'POST' })

    expect(TierView.parse(paused.json())).toMatchObject({ tier: 'fast', paused: true })
    expect(TierView.parse(resumed.json())).toMatchObject({ tier: 'fast', paused: false })
  })

  test('ready is 200, or 503 with what is not', async () => {
    const ready = await send(`${http.url}/readyz`)
    http.ports.breakWith(new TierlineError('redis_unavailable', 'away'))
    const broken = await send(`${http.url}/readyz`)

    expect([ready.status, broken.status]).toEqual([200, 503])
    expect(Readiness.parse(broken.json()).checks.redis.ok).toBe(false)
    expect((await send(`${http.url}/healthz`)).status).toBe(200)
  })
})
