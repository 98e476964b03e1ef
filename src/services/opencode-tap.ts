/**
 * A plugin for OpenCode, loaded by the server's own process: gives the text of parts that are still open.
 *
 * OpenCode keeps it in memory and tells it in deltas without an offset, so whoever joins late misses the beginning
 * (docs/opencode.md "The tap"). Here snapshot and deltas come from one place, so they fit. It stands alone: OpenCode
 * runs it, on Bun, and whatever goes wrong in it must not harm the server.
 */
import { createServer, type ServerResponse } from 'node:http'

interface Open {
  sessionID: string
  text: string
}

interface BusEvent {
  type: string
  properties?: {
    sessionID?: string
    partID?: string
    field?: string
    delta?: string
    status?: { type?: string }
    part?: { id: string; sessionID: string; type: string; text?: string; time?: { end?: number } }
  }
}

interface Tap {
  heard(event: BusEvent): void
}

const NAME = Symbol.for('tierline.tap')

/** One for all directories of the server: each loads the plugin anew. */
const shared = globalThis as { [NAME]?: Tap }

export const TierlineTap = async () => {
  shared[NAME] ??= startTap(Number(process.env.TIERLINE_TAP_PORT))
  const tap = shared[NAME]
  return {
    event: async ({ event }: { event: BusEvent }): Promise<void> => {
      try {
        tap.heard(event)
      } catch {
        // Who follows has the events of the server too.
      }
    },
  }
}

function startTap(port: number): Tap {
  const open = new Map<string, Open>()
  const followers = new Map<string, Set<ServerResponse>>()
  const { OPENCODE_SERVER_USERNAME: user = 'opencode', OPENCODE_SERVER_PASSWORD: password = '' } = process.env
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

  const server = createServer((request, response) => {
    const sessionID = /^\/session\/([\w-]+)$/.exec(request.url ?? '')?.[1]
    if (password === '' || request.headers.authorization !== authorization || sessionID === undefined) {
      response.writeHead(sessionID === undefined ? 404 : 401).end()
      return
    }
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    for (const [partID, { sessionID: owner, text }] of open)
      if (owner === sessionID) response.write(line({ partID, offset: 0, text }))
    response.write(line({ ready: true }))
    const known = followers.get(sessionID) ?? new Set()
    followers.set(sessionID, known.add(response))
    response.on('close', () => {
      known.delete(response)
      if (known.size === 0 && followers.get(sessionID) === known) followers.delete(sessionID)
    })
  })
  server.on('error', () => {})
  server.listen(port, '127.0.0.1')
  server.unref()

  function forget(sessionID: string | undefined): void {
    for (const [partID, part] of open) if (part.sessionID === sessionID) open.delete(partID)
  }

  return {
    heard({ type, properties }) {
      const { part, partID, delta, status, sessionID } = properties ?? {}
      if (type === 'message.part.delta' && properties?.field === 'text' && partID !== undefined) {
        const known = open.get(partID)
        if (known === undefined || delta === undefined) return
        const told = line({ partID, offset: known.text.length, text: delta })
        known.text += delta
        for (const follower of followers.get(known.sessionID) ?? []) follower.write(told)
      } else if (type === 'message.part.updated' && (part?.type === 'text' || part?.type === 'reasoning')) {
        if (part.time?.end !== undefined) open.delete(part.id)
        else if (!open.has(part.id)) open.set(part.id, { sessionID: part.sessionID, text: part.text ?? '' })
      } else if (type === 'session.idle' || type === 'session.deleted' || status?.type === 'retry') {
        forget(sessionID)
      }
    },
  }
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`
}
