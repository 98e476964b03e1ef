import { expect, test, vi } from 'vitest'
import { readSse } from '../../src/client/read-sse.ts'
import { END, textEvent } from './rude-server.ts'

test('readSse() puts messages together wherever their bytes come apart', async () => {
  const bytes = new TextEncoder().encode(`:\n\n${textEvent(1, 'é😀')}${END}`)
  const whole = await collect([bytes])

  expect(whole.map(({ event }) => event)).toEqual(['text-delta', 'end'])
  for (let cut = 1; cut < bytes.length; cut += 1)
    expect(await collect([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(whole)
})

test('readSse() bears any silence where it is told to', async ({ onTestFinished }) => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>()
  const reading = collectFrom(readable, Number.POSITIVE_INFINITY)
  await vi.advanceTimersByTimeAsync(60_000)

  const writer = writable.getWriter()
  await writer.write(new TextEncoder().encode(END))
  await writer.close()

  expect(await reading).toMatchObject([{ event: 'end' }])
})

function collect(chunks: readonly Uint8Array<ArrayBuffer>[]) {
  const body = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
  return collectFrom(body, 10_000)
}

async function collectFrom(body: ReadableStream<Uint8Array<ArrayBuffer>>, silenceMs: number) {
  const response = new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  const messages: { event?: string | undefined; data: string }[] = []
  for await (const message of readSse(response, { silenceMs, onHeartbeat() {} })) messages.push(message)
  return messages
}
