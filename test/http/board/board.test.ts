/** What the board's own requests do: everything through the tasks, nothing behind the records' back. */
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { TierlineError } from '../../../src/errors.ts'
import { comparisonRoute } from '../../../src/tasks/comparison-route.ts'
import { closeAll, type RunningHttp, send, startHttp } from '../start-http.ts'

let http: RunningHttp

beforeEach(async () => {
  http = await startHttp()
})
afterAll(closeAll)

const call = (method: string, path: string, body?: object) =>
  send(`${http.url}/board/api/queues${path}`, { method, ...(body && { body }) })
const submit = (fields: object = {}) => http.ports.tasks.submit({ prompt: 'a', type: 'lint', ...fields })

interface Listed {
  queues: {
    name: string
    counts: Record<string, number>
    isPaused: boolean
    jobs: Record<string, unknown>[]
  }[]
}

async function list(query = ''): Promise<Listed> {
  return (await call('GET', query)).json() as Listed
}

describe('the list', () => {
  test('has every queue, with its counts and jobs', async () => {
    const failed = await submit()
    http.ports.finish(failed.id, 'failed', {
      error: { code: 'turn_failed', message: 'no', retryable: false },
    })
    const waiting = await submit()
    const { queues } = await list('?activeQueue=fast')

    expect(queues.map(({ name }) => name)).toEqual(['fast', 'balanced', 'powerful', 'direct', 'nested'])
    expect(queues[0]).toMatchObject({ counts: { waiting: 1, failed: 1, active: 0 }, isPaused: false })
    expect(queues[0]!.jobs).toMatchObject([
      { id: waiting.id, name: 'lint', isFailed: false, timestamp: waiting.createdAt },
      { id: failed.id, isFailed: true, failedReason: 'turn_failed: no' },
    ])
  })

  test('has a queue that came later', async () => {
    const queues = http.ports.board.queues()
    await list()
    http.ports.board.queues = () => [{ ...queues[0]!, name: 'huge' }, ...queues]

    expect((await list()).queues.map(({ name }) => name)).toContain('huge')
  })
})

describe('a job', () => {
  test('tells the route, the session and the cost, with secrets masked', async () => {
    const secret = 'sk-abcdefghijklmnop'
    const { id } = await submit({ prompt: `use ${secret}`, metadata: { apiKey: 'hunter2', team: 'core' } })
    http.ports.patch(id, { sessionID: 'ses_1', server: 'local', costMicroUsd: 42, attempt: 1 })
    http.ports.push(id, { type: 'provider-retry', try: 1, nextAt: 0, message: `bad ${secret}` })
    http.ports.finish(id, 'failed', {
      error: { code: 'provider_auth', message: `no ${secret}`, retryable: false },
    })
    const job = await call('GET', `/fast/${id}`)
    const logs = await call('GET', `/fast/${id}/logs`)

    expect(job.json()).toMatchObject({
      status: 'failed',
      job: {
        data: { prompt: 'use sk-[masked]', metadata: { apiKey: '[masked]', team: 'core' } },
        returnValue: { tier: 'fast', model: 'acme/nano', sessionID: 'ses_1', costMicroUsd: 42 },
        failedReason: 'provider_auth: no sk-[masked]',
        attempts: 1,
      },
    })
    expect((logs.json() as string[]).join()).toContain('provider-retry')
    expect(job.text + logs.text).not.toMatch(/sk-abc|hunter2/)
  })

  test('of a comparison has no model', async () => {
    const { id, route } = await submit()
    http.ports.patch(id, { tier: null, route: comparisonRoute(route, ['acme/nano', 'acme/big']) })

    expect((await call('GET', `/fast/${id}`)).json()).toMatchObject({
      job: {
        returnValue: { tier: null, model: null, route: ['compare acme/nano, acme/big: a task for each'] },
      },
    })
  })

  test('shows how far it is, in percent', async () => {
    const { id } = await submit()
    const progress = async () => ((await call('GET', `/fast/${id}`)).json() as { job: object }).job
    http.ports.patch(id, { state: 'running', progress: { message: 2, messages: 3 } })
    expect(await progress()).toMatchObject({ progress: 33 })
    http.ports.finish(id, 'succeeded')
    expect(await progress()).toMatchObject({ progress: 100 })
  })

  test('has no flow, and an unknown one is not there', async () => {
    const { id } = await submit()

    expect((await call('GET', `/fast/${id}/flow`)).json()).toMatchObject({ isFlowNode: false })
    expect((await call('GET', '/fast/tsk_none')).status).toBe(404)
  })
})

describe('acts', () => {
  test('remove cancels what is not over, and removes what is', async () => {
    const { id } = await submit()
    for (const expected of [`cancel ${id}`, `remove ${id}`]) {
      expect((await call('PUT', `/fast/${id}/clean`)).status).toBe(204)
      expect(http.ports.calls.at(-1)).toBe(expected)
    }
  })

  test('retry retries, one or all', async () => {
    const ids = [(await submit()).id, (await submit()).id]
    for (const id of ids) http.ports.finish(id, 'failed')
    expect((await call('PUT', `/fast/${ids[0]}/retry`)).status).toBe(204)
    expect((await call('PUT', '/fast/retry/failed')).json()).toEqual({ retried: 1, skipped: 0 })

    expect(http.ports.calls).toEqual(ids.map((id) => `retry ${id}`))
  })

  test('promote starts delayed tasks, one or all', async () => {
    const ids = [(await submit({ delayMs: 60_000 })).id, (await submit({ delayMs: 60_000 })).id]
    expect((await call('PUT', `/fast/${ids[0]}/promote`)).status).toBe(204)
    expect((await call('PUT', '/fast/promote')).status).toBe(200)

    expect(http.ports.calls).toEqual(ids.map((id) => `promote ${id}`))
  })

  test('pause and resume hold the queue', async () => {
    await call('PUT', '/fast/pause')
    expect((await list()).queues[0]!.isPaused).toBe(true)
    await call('PUT', '/fast/resume')
    expect((await list()).queues[0]!.isPaused).toBe(false)
  })

  test('add submits: the name is the type, the queue the tier', async () => {
    const add = (queue: string, name: string, data: object, options = {}) =>
      call('POST', `/${queue}/add`, { name, data, options })
    const plain = await add('powerful', '__default__', { prompt: 'a' })
    const typed = await add('fast', 'lint', { prompt: 'a', title: null }, { delay: 60_000 })
    const pinned = await add('fast', 'task', { prompt: 'a', model: 'acme/big' })

    expect(plain.json()).toMatchObject({
      status: 'waiting',
      job: { name: '__default__', data: { prompt: 'a' } },
    })
    const { data } = await http.ports.tasks.list({ limit: 10 })
    expect(data.map(({ type, tier, model, state }) => [type, tier, model, state])).toEqual([
      [null, 'balanced', 'acme/big', 'waiting'],
      ['lint', 'fast', 'acme/nano', 'delayed'],
      [null, 'powerful', 'acme/big', 'waiting'],
    ])
    expect([plain.status, typed.status, pinned.status]).toEqual([200, 200, 200])
  })

  test('a task that is refused says why', async () => {
    const answer = await call('POST', '/fast/add', { name: 'nope', data: { prompt: 'a' }, options: {} })

    expect([answer.status, answer.json()]).toMatchObject([
      422,
      {
        error: { key: 'ERRORS.INVALID_REQUEST_BODY', options: { field: 'type' } },
        message: expect.stringContaining('type "nope" is not known'),
      },
    ])
    expect((await http.ports.tasks.list({ limit: 10 })).data).toEqual([])
  })
})

describe('what would go behind the records’ back', () => {
  test.each([
    ['PUT', '/fast/empty', undefined],
    ['PUT', '/fast/clean/completed', undefined],
    ['PUT', '/fast/concurrency', { concurrency: 3 }],
    ['PUT', '/fast/obliterate', { force: true }],
    ['PATCH', '/fast/TASK/update-data', { jobData: { prompt: 'b' } }],
  ])('%s %s is refused with a reason', async (method, path, body) => {
    const { id } = await submit()
    await call('PUT', '/fast/pause')
    const answer = await call(method, path.replace('TASK', id), body)

    expect([answer.status, answer.json()]).toMatchObject([
      403,
      { error: { key: 'ERRORS.FORBIDDEN' }, message: expect.stringMatching(/^Cannot /) },
    ])
    expect(await http.ports.tasks.get(id)).toMatchObject({ state: 'waiting' })
  })
})

test('to obliterate a queue that is not paused is refused for good, and not until it is paused', async () => {
  const answer = await call('PUT', '/fast/obliterate', { force: true })

  expect([answer.status, answer.json()]).toMatchObject([
    403,
    { message: 'Cannot obliterate queue "fast": its tasks would be lost; cancel them instead' },
  ])
})

describe('errors', () => {
  test('of Redis are said as such, others without their message', async () => {
    http.ports.breakWith(new TierlineError('redis_unavailable', 'Cannot reach Redis'))
    expect((await call('GET', '/fast/x/logs')).json()).toMatchObject({
      error: { key: 'ERRORS.REDIS_UNAVAILABLE' },
      message: 'Cannot reach Redis',
    })
    http.ports.breakWith(new Error('inside'))
    const answer = await call('GET', '/fast/x/logs')
    expect([answer.status, answer.json()]).toMatchObject([
      500,
      { error: { key: 'ERRORS.INTERNAL_SERVER_ERROR' } },
    ])
    expect(answer.text).not.toContain('inside')
    expect(http.logged).toEqual(['error Board request failed'])
  })
})
