/** The pages in a real browser: they render behind a key, act, and ask nothing of any other origin. */
import type { Browser, BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ERRORS } from '../../src/errors.ts'
import { launchBrowser } from '../setup/browser.ts'
import { closeAll, type RunningHttp, send, startHttp } from './start-http.ts'

const PATIENCE_MS = 60_000

let browser: Browser
let context: BrowserContext
let http: RunningHttp
/** Requests to anywhere else, and what the pages complained about. */
let outside: string[]
let complaints: string[]

beforeAll(async () => {
  http = await startHttp({ apiKeys: [{ name: 'me', secret: 's3cret' }] })
  browser = await launchBrowser()
}, 120_000)

beforeEach(async () => {
  outside = []
  complaints = []
  context = await browser.newContext({ httpCredentials: { username: 'any', password: 's3cret' } })
  context.setDefaultTimeout(PATIENCE_MS)
  context.on('request', (request) => {
    if (new URL(request.url()).origin !== http.url) outside.push(request.url())
  })
  context.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  context.on('weberror', (error) => complaints.push(error.error().message))
  return () => context.close()
})

afterAll(async () => {
  await browser?.close()
  await closeAll()
})

test('the board lists all queues and tells the story of a task', async () => {
  const { id } = await http.ports.tasks.submit({ prompt: 'Check sk-abcdefghijkl', type: 'lint' })
  http.ports.push(id, { type: 'session-opened', sessionID: 'ses_42', server: 'local', model: 'acme/nano' })
  const page = await context.newPage()
  await page.goto(`${http.url}/`)
  for (const { name } of http.ports.board.queues()) await page.getByRole('link', { name }).first().waitFor()

  await page.getByRole('link', { name: 'fast' }).first().click()
  await page.getByText(id).waitFor()
  await page.getByText('Check sk-[masked]').waitFor()
  await page.getByRole('tab', { name: 'Logs' }).click()
  await page.getByText('ses_42').waitFor()

  expect(await page.title()).toBe('tierline')
  expect({ outside, complaints }).toEqual({ outside: [], complaints: [] })
}, 120_000)

test('the board shows a failed task, and retries it', async () => {
  const { id } = await http.ports.tasks.submit({ prompt: 'a', type: 'analysis' })
  http.ports.finish(id, 'failed', { error: { code: 'turn_failed', message: 'It broke', retryable: true } })
  const page = await context.newPage()
  await page.goto(`${http.url}/board/queue/powerful?status=failed`)
  await page.getByText('turn_failed: It broke').waitFor()
  await page.getByRole('button', { name: 'Retry all' }).click()
  await page
    .getByRole('button', { name: /confirm|retry/i })
    .last()
    .click()

  await expect.poll(() => http.ports.calls, { timeout: PATIENCE_MS }).toContain(`retry ${id}`)
  expect({ outside, complaints }).toEqual({ outside: [], complaints: [] })
}, 120_000)

test('the board says why it refuses', async () => {
  await http.ports.tasks.submit({ prompt: 'a', type: 'review' })
  const page = await context.newPage()
  await page.goto(`${http.url}/board/queue/balanced`)
  await page.getByRole('tab', { name: 'Data' }).first().waitFor()
  await page.locator('main [aria-haspopup=menu], [aria-haspopup=menu]').last().click()
  await page.getByRole('menuitem', { name: 'Empty' }).click()
  await page
    .getByRole('button', { name: /confirm|empty/i })
    .last()
    .click()

  await page.getByText('Cannot empty queue "balanced"').waitFor()
  expect(outside).toEqual([])
}, 120_000)

test('the API reference renders every operation', async () => {
  const page = await context.newPage()
  await page.goto(`${http.url}/docs`)
  await page.getByText('Stream the events of a task').waitFor()

  expect(await page.locator('.opblock').count()).toBe(27)
  expect({ outside, complaints }).toEqual({ outside: [], complaints: [] })
}, 120_000)

test('the errors page has a place for every code', async () => {
  const page = await context.newPage()
  await page.goto(`${http.url}/docs/errors#unknown_model`)

  expect(await page.locator('tr:target code').textContent()).toBe('unknown_model')
  expect(await page.locator('tr[id]').evaluateAll((rows) => rows.map((row) => row.id))).toEqual(
    Object.keys(ERRORS),
  )
  expect({ outside, complaints }).toEqual({ outside: [], complaints: [] })
}, 120_000)

test.each(['/board/', '/docs/', '/docs/errors'])(
  '%s may load nothing from outside, and stand in no frame',
  async (path) => {
    const answer = await send(http.url + path, { headers: { authorization: 'Bearer s3cret' } })

    expect(answer.status).toBe(200)
    expect(answer.headers['content-security-policy']).toMatch(/default-src 'self'.*frame-ancestors 'none'/)
    expect(answer.headers['content-security-policy']).not.toMatch(/https?:|\*/)
    expect(answer.text).not.toMatch(/(src|href)="(https?:)?\/\//)
  },
)
