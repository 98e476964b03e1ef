/** The few requests of OpenCode's API that the memory backend understands when they are passed on. */
import { Readable } from 'node:stream'
import type { ForwardedAnswer, ForwardRequest } from '../../src/sessions/backend.ts'
import { splitModelID } from '../../src/tasks/model-id.ts'
import type { MemorySession } from './memory-backend.ts'

export interface MemorySessions {
  sessions: readonly MemorySession[]
  add(session: Omit<MemorySession, 'sessionID' | 'messageIDs'>): MemorySession
  remove(sessionID: string): void
}

export function forwardInMemory(
  { method, path, body }: ForwardRequest,
  { sessions, add, remove }: MemorySessions,
): ForwardedAnswer {
  const url = new URL(path, 'http://memory')
  const sent = body === undefined ? {} : (JSON.parse(body) as Record<string, never>)
  const [, first, id, rest] = url.pathname.split('/')
  if (method === 'POST' && url.pathname === '/session') {
    const { title, model, metadata, parentID } = sent as unknown as NewSession
    const directory = url.searchParams.get('directory') ?? undefined
    return json(
      200,
      viewOf(
        add({
          taskID: '',
          title,
          model: `${model.providerID}/${model.id}`,
          directory,
          mayExist: false,
          rules: [],
          createdAt: Date.now(),
          metadata,
          parentID,
        }),
      ),
    )
  }
  if (url.pathname === '/session') return json(200, sessions.map(viewOf))
  if (url.pathname === '/session/status') return json(200, {})
  if (url.pathname === '/config/providers')
    return json(200, { providers: [{ id: 'acme', options: { apiKey: 'key-of-acme' } }], default: {} })
  const session = sessions.find(({ sessionID }) => sessionID === id)
  if (first !== 'session' || session === undefined)
    return json(404, { name: 'NotFoundError', data: { message: `Not found: ${url.pathname}` } })
  if (method === 'PATCH') Object.assign(session, sent)
  if (method === 'DELETE') remove(id!)
  if (method === 'DELETE' || rest === 'abort') return json(200, true)
  return json(200, rest === 'message' ? [] : viewOf(session))
}

interface NewSession {
  title: string
  model: { providerID: string; id: string }
  metadata: Record<string, unknown>
  parentID?: string
}

function viewOf({ sessionID, title, model, directory, metadata, parentID }: MemorySession): object {
  const { providerID, modelID } = splitModelID(model)
  return { id: sessionID, title, directory, metadata, parentID, model: { providerID, id: modelID } }
}

function json(status: number, value: unknown): ForwardedAnswer {
  const text = JSON.stringify(value)
  return {
    status,
    headers: { 'content-type': 'application/json' },
    isJson: true,
    body: Readable.from([Buffer.from(text)]),
    json: async () => JSON.parse(text) as unknown,
  }
}
