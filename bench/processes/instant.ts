/** An HTTP handler that answers at once, whatever it is asked: what is left of a request when nothing is done. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerQuestions } from '../bench-process.ts'

/** As OpenCode answers a `GET /session/:id`, which is what tierline reads of it. */
const BODY = JSON.stringify({ id: 'ses_1', title: 'Session', metadata: {}, time: { created: 1, updated: 1 } })

const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': BODY.length }).end(BODY)
  })
})

async function start(): Promise<{ url: string }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const handlers = answerQuestions({ start }, async () => {
  server.closeAllConnections()
  server.close()
})
export type InstantHandlers = typeof handlers
