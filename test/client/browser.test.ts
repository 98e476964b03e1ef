/** The client in a real browser: bundled for it, on a page of one origin, talking to a server of another. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type * as client from '../../src/client/index.ts'
import type { TierlineError } from '../../src/client/index.ts'
import { launchBrowser } from '../setup/browser.ts'
import { type MemoryServer, startMemoryServer, textDelta } from './memory-server.ts'

const ENTRY = new URL('../../src/client/index.ts', import.meta.url).pathname

const PAGE = `<!doctype html><title>tierline</title>
<script type="module">import * as client from '/client.js'; window.tierline = client</script>`

declare global {
  /** What the page has. */
  var tierline: typeof client
}

let browser: Browser
let pages: Server
let api: MemoryServer
let page: Page

beforeAll(async () => {
  const bundle = await bundleClient()
  pages = createServer((request, response) => {
    const isBundle = request.url === '/client.js'
    response.writeHead(200, { 'content-type': isBundle ? 'text/javascript' : 'text/html' })
    response.end(isBundle ? bundle : PAGE)
  }).listen(0, '127.0.0.1')
  await once(pages, 'listening')
  const origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`
  api = await startMemoryServer({ corsOrigins: [origin], apiKeys: [{ name: 'page', secret: 's3cret' }] })
  browser = await launchBrowser()
  page = await browser.newPage()
  await page.goto(origin)
}, 120_000)

afterAll(async () => {
  await browser?.close()
  await api?.close()
  pages?.close()
})

test('a page enqueues, streams and gets the result', async () => {
  // Pushed from here once the page shows what came before: so the text is live.
  await page.exposeFunction('sawText', (id: string, text: string) => {
    if (text !== 'hel') return
    api.ports.push(id, textDelta('lo 😀', { offset: 3 }))
    api.ports.finish(id, 'succeeded', { text: 'hello 😀' })
  })
  await page.exposeFunction('enqueued', (id: string) => void api.ports.push(id, textDelta('hel')))

  const seen = await page.evaluate(async (url) => {
    const handle = await tierline
      .createClient({ url, apiKey: 's3cret' })
      .enqueue({ type: 'lint', prompt: 'a' })
    const { enqueued, sawText } = window as unknown as Record<string, (...args: string[]) => Promise<void>>
    await enqueued!(handle.id)
    let text = ''
    for await (const delta of handle.text()) {
      text += delta
      await sawText!(handle.id, text)
    }
    const { state, result } = await handle.result()
    return { text, state, result: result?.text }
  }, api.url)

  expect(seen).toEqual({ text: 'hello 😀', state: 'succeeded', result: 'hello 😀' })
})

test('a page gets events behind a number, and leaving the loop frees the server', async () => {
  const { id } = await api.ports.tasks.submit({ prompt: 'a' })

  const seq = await page.evaluate(
    async ([url, id]: [string, string]) => {
      const handle = tierline.createClient({ url, apiKey: 's3cret' }).task(id)
      for await (const event of handle.events({ after: 1 })) return 'seq' in event ? event.seq : event.type
    },
    [api.url, id] satisfies [string, string],
  )

  expect(seq).toBe(2)
  // Chromium may drain a stream that was left for up to 5 s before it closes the connection.
  await expect.poll(() => api.ports.readers(), { timeout: 30_000 }).toBe(0)
})

test('a page gets our errors, and one that says the server cannot be reached', async () => {
  const errors = await page.evaluate(async (url) => {
    const caught = async (options: { url: string; apiKey?: string }) => {
      try {
        return await tierline.createClient(options).enqueue({ tier: 'fats', prompt: 'a' })
      } catch (error) {
        const { code, errors } = error as TierlineError
        return { ours: error instanceof tierline.TierlineError, code, errors }
      }
    }
    return [await caught({ url, apiKey: 's3cret' }), await caught({ url: 'http://127.0.0.1:1' })]
  }, api.url)

  expect(errors).toMatchObject([
    { ours: true, code: 'unknown_tier', errors: [{ field: 'tier', given: 'fats' }] },
    { ours: true, code: 'server_unreachable' },
  ])
})

/** As an application would: one file, and nothing of Node in it. */
async function bundleClient(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      lib: { entry: ENTRY, formats: ['es'] },
    },
  })
  const [bundle] = Array.isArray(result) ? result : [result]
  if (bundle === undefined || !('output' in bundle)) throw new TypeError('Expected a bundle')
  const { code, imports, modules } = bundle.output[0]
  expect(imports).toEqual([])
  // Vite replaces modules of Node by empty ones, so they would not fail before they are used.
  expect(Object.keys(modules).filter((id) => id.includes('__vite-browser-external'))).toEqual([])
  return code
}
