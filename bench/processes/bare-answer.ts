/** The least that could answer a message with a queue between: `node:http`, `Queue.add`, and an answer by pub/sub. */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Redis } from 'ioredis'
import { type BareQueue, openBareQueue } from '../bare-queue.ts'
import { answerQuestions } from '../bench-process.ts'

let bare: BareQueue | undefined
let answers: Redis | undefined
const waiting = new Map<string, (answer: string) => void>()
const server = createServer((request, response) => void answer(request, response))

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const message = JSON.parse(await text(request)) as unknown
  const jobId = randomUUID()
  const { promise, resolve } = Promise.withResolvers<string>()
  waiting.set(jobId, resolve)
  await bare!.queue.add('message', message, { jobId })
  const body = await promise
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}

interface Start {
  redisUrl: string
  queue: string
  /** Where the answers are published. */
  channel: string
}

async function start({ redisUrl, queue, channel }: Start): Promise<{ url: string }> {
  bare = await openBareQueue(redisUrl, queue)
  answers = new Redis(redisUrl)
  answers.on('message', (_channel, body) => {
    const { id } = JSON.parse(body) as { id: string }
    waiting.get(id)?.(body)
    waiting.delete(id)
  })
  await answers.subscribe(channel)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const handlers = answerQuestions({ start }, async () => {
  server.closeAllConnections()
  server.close()
  answers?.disconnect()
  await bare?.close()
})
export type BareAnswerHandlers = typeof handlers
