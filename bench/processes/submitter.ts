/**
 * A client that submits as fast as the server answers, and as cheaply as can be: it shares two cores with
 * the server, so it speaks HTTP by hand over sockets that stay open.
 */
import { connect, type Socket } from 'node:net'
import { answerQuestions } from '../bench-process.ts'
import { ownCpuMicros } from '../cpu-time.ts'

interface Submit {
  url: string
  body: unknown
  count: number
  /** Connections, each with one request under way. */
  width: number
}

async function submit({ url, body, count, width }: Submit): Promise<{ cpuMicros: number }> {
  const { hostname, port, host } = new URL(url)
  const json = JSON.stringify(body)
  const request =
    `POST /v1/tasks HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n` +
    `content-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`
  const startedAt = ownCpuMicros()
  let left = count
  const lane = async () => {
    const socket = connect(Number(port), hostname).setNoDelay().setEncoding('latin1')
    try {
      await submitAll(socket, request, () => left-- > 0)
    } finally {
      socket.destroy()
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
  return { cpuMicros: ownCpuMicros() - startedAt }
}

/** One request after the other, as long as there are more. */
function submitAll(socket: Socket, request: string, more: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = () => (more() ? void socket.write(request) : resolve())
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk
      const bodyAt = received.indexOf('\r\n\r\n') + 4
      if (bodyAt === 3) return
      const length = Number(/content-length: (\d+)/i.exec(received.slice(0, bodyAt))?.[1])
      if (received.length < bodyAt + length) return
      if (!received.startsWith('HTTP/1.1 202 ')) return reject(new Error(`Not accepted: ${received}`))
      received = ''
      next()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('The server has closed the connection')))
    socket.on('connect', next)
  })
}

const handlers = answerQuestions({ submit }, async () => {})
export type SubmitterHandlers = typeof handlers
