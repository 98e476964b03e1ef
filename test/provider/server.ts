/**
 * An OpenAI-compatible model provider that does what the prompt tells it, and bills every request.
 *
 * `POST /PROVIDER/v1/chat/completions`, `GET /PROVIDER/v1/models`; for a test in another process
 * `GET /ledger?marker=&model=&kind=`, `GET /holds` and `POST /holds/NAME/release`.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { answer } from './answer.ts'
import { type Chat, ChatRequest, readChat } from './chat.ts'
import { parseScript } from './directives.ts'
import { createHolds } from './holds.ts'
import { createLedger, type Ledger, type LedgerFilter } from './ledger.ts'
import { SCRIPTED_MODELS } from './models.ts'
import { plainAnswer } from './plain-answer.ts'

export interface ScriptedProvider {
  /** Without a path: `http://127.0.0.1:4567`. */
  readonly url: string
  readonly ledger: Ledger
  /** Resolves when an answer has come to `@hold:name`, `times` times in all. */
  held(name: string, times?: number): Promise<void>
  /** Lets every answer pass `@hold:name`, those that come later too. */
  release(name: string): void
  close(): Promise<void>
}

export interface ScriptedProviderOptions {
  /** Default: a free one. */
  port?: number
}

const CHAT = /^\/([^/]+)\/v1\/chat\/completions$/
const MODELS = /^\/([^/]+)\/v1\/models$/
const RELEASE = /^\/holds\/([^/]+)\/release$/

export async function startScriptedProvider({
  port = 0,
}: ScriptedProviderOptions = {}): Promise<ScriptedProvider> {
  const ledger = createLedger()
  const holds = createHolds()

  async function chat(request: IncomingMessage, response: ServerResponse, providerID: string): Promise<void> {
    const body = ChatRequest.parse(await json(request))
    const read = readChat(body, providerID, headerOf(request, 'x-session-id'))
    const { steps } = parseScript(scriptedPart(read), plainAnswer(read))
    const entry = ledger.open(read)
    const gone = new AbortController()
    response.on('close', () => {
      entry.aborted = !response.writableFinished
      entry.endedAt = Date.now()
      gone.abort()
    })
    // A model that was shown more tool results than the script has calls gives its last answer.
    const step = steps[Math.min(read.step, steps.length - 1)]!
    const { promptTokens } = read
    await answer(response, { entry, step, promptTokens, isStream: body.stream, holds, signal: gone.signal })
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://provider')
    const provider = CHAT.exec(pathname)?.[1]
    if (provider && request.method === 'POST') return chat(request, response, provider)
    const seller = MODELS.exec(pathname)?.[1]
    if (seller) return send(response, 200, { object: 'list', data: modelsOf(seller) })
    if (pathname === '/ledger')
      return send(response, 200, ledger.entries(Object.fromEntries(searchParams) as LedgerFilter))
    if (pathname === '/holds') return send(response, 200, holds.waiting())
    const hold = RELEASE.exec(pathname)?.[1]
    if (!hold) return send(response, 404, { error: { message: `No such path: ${pathname}` } })
    holds.release(decodeURIComponent(hold))
    send(response, 200, {})
  }

  const server = createServer({ noDelay: true }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent || response.destroyed) response.destroy()
      else send(response, 400, { error: { message: String(error), type: 'scripted' } })
    })
  })
  server.keepAliveTimeout = 60_000
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ledger,
    held: holds.held,
    release: holds.release,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** What OpenCode asks on its own is not for the script; only a prompt that never fits does not fit there either. */
function scriptedPart({ kind, prompt }: Chat): string {
  if (kind === 'answer') return prompt
  return kind === 'summary' && /@overflow(?![:\w])/.test(prompt) ? '@overflow' : ''
}

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name]
  return typeof value === 'string' ? value : null
}

function modelsOf(providerID: string): { id: string; object: string }[] {
  return Object.keys(SCRIPTED_MODELS)
    .filter((id) => id.startsWith(`${providerID}/`))
    .map((id) => ({ id: id.slice(providerID.length + 1), object: 'model' }))
}
