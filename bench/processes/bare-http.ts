/** The least that could answer a submit over HTTP: `node:http`, `JSON.parse`, `Queue.add`, and an id. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type BareQueue, openBareQueue } from '../bare-queue.ts'
import { answerQuestions } from '../bench-process.ts'
import { ownCpuMicros } from '../cpu-time.ts'

let bare: BareQueue | undefined
const server = createServer((request, response) => void answer(request, response))

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { id } = await bare!.queue.add('lint', JSON.parse(await text(request)))
  const body = JSON.stringify({ id })
  response.writeHead(202, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}

async function start({ redisUrl }: { redisUrl: string }): Promise<{ url: string }> {
  bare = await openBareQueue(redisUrl, 'http')
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const handlers = answerQuestions({ start, cpuMicros: () => ownCpuMicros() }, async () => {
  server.close()
  await bare?.close()
})
export type BareHttpHandlers = typeof handlers
