import { expect, test } from 'vitest'
import { textOf } from '../../src/stream/text-of.ts'
import type { StreamItem } from '../../src/tasks/event.ts'

test('textOf() gives the text as it comes, without reasoning, a blank line between two parts', async () => {
  const items = [
    delta('prt_1', 'Hel'),
    delta('prt_1', 'lo'),
    { ...delta('prt_2', 'hmm'), type: 'reasoning-delta' },
    delta('prt_3', 'World'),
    { type: 'end', state: 'succeeded' },
  ]

  const chunks: string[] = []
  for await (const chunk of textOf(streamOf(items as StreamItem[]))) chunks.push(chunk)

  expect(chunks).toEqual(['Hel', 'lo', '\n\n', 'World'])
})

function delta(partID: string, text: string) {
  return { seq: 1, at: 1, attempt: 1, type: 'text-delta', messageID: 'msg_1', partID, offset: 0, text }
}

async function* streamOf(items: readonly StreamItem[]): AsyncGenerator<StreamItem> {
  yield* items
}
