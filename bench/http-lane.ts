/**
 * A client of HTTP that costs as little as can be: it shares two cores with the server it measures, so it speaks by hand
 * over a socket that stays open. One request at a time.
 */
import { connect } from 'node:net'

export interface HttpLane {
  /** Sends `request` as it is. Rejects on any status but `expected`. */
  ask(request: string, expected: number): Promise<void>
  close(): void
}

export function openLane(url: string): HttpLane {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname).setNoDelay().setEncoding('latin1')
  let asking: { expected: number; over: PromiseWithResolvers<void> } | undefined
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk
    if (!isWhole(received)) return
    const { expected, over } = asking!
    const answer = received
    asking = undefined
    received = ''
    if (answer.startsWith(`HTTP/1.1 ${expected} `)) over.resolve()
    else over.reject(new Error(`Expected ${expected}: ${answer}`))
  })
  socket.on('error', (error) => asking?.over.reject(error))
  socket.on('close', () => asking?.over.reject(new Error('The server has closed the connection')))

  return {
    ask(request, expected) {
      const over = Promise.withResolvers<void>()
      asking = { expected, over }
      socket.write(request)
      return over.promise
    },
    close: () => void socket.destroy(),
  }
}

/** @param json of the body; `undefined`: none. */
export function requestText(method: string, url: string, path: string, json: string | undefined): string {
  const head = `${method} ${path} HTTP/1.1\r\nhost: ${new URL(url).host}\r\n`
  if (json === undefined) return `${head}\r\n`
  return `${head}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`
}

function isWhole(answer: string): boolean {
  const bodyAt = answer.indexOf('\r\n\r\n') + 4
  if (bodyAt === 3) return false
  const head = answer.slice(0, bodyAt)
  const length = /content-length: (\d+)/i.exec(head)?.[1]
  return length === undefined
    ? answer.endsWith('0\r\n\r\n') && answer.length > bodyAt
    : answer.length >= bodyAt + Number(length)
}
