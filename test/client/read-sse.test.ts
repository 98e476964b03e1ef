import { expect, test } from 'vitest'
import { readSse } from '../../src/client/read-sse.ts'
import { END, textEvent } from './rude-server.ts'

test('readSse() puts messages together wherever their bytes come apart', async () => {
  const bytes = new TextEncoder().encode(`:\n\n${textEvent(1, 'é😀')}${END}`)
  const whole = await collect([bytes])

  expect(whole.map(({ event }) => event)).toEqual(['text-delta', 'end'])
  for (let cut = 1; cut < bytes.length; cut += 1)
    expect(await collect([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(whole)
})

async function collect(chunks: readonly Uint8Array<ArrayBuffer>[]) {
  const body = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
  const response = new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  const messages: { event?: string | undefined; data: string }[] = []
  for await (const message of readSse(response, { silenceMs: 10_000, onHeartbeat() {} }))
    messages.push(message)
  return messages
}
