import { describe, expect, test } from 'vitest'
import type { ParsedTaskInput } from '../../src/tasks/input.ts'
import { estimatePrompt } from '../../src/tasks/prompt-size.ts'

const base64 = (bytes: number) => Buffer.alloc(bytes, 'a').toString('base64')

describe('estimatePrompt()', () => {
  test.each<[string, Omit<ParsedTaskInput, never>, number]>([
    ['four letters a token', { prompt: 'abcd'.repeat(10) }, 10],
    ['a part of a token as one', { prompt: 'abcde' }, 2],
    ['other scripts by their bytes', { prompt: '漢字' }, 2],
    ['the system prompt', { messages: [{ text: 'abcd', system: 'abcdabcd' }] }, 3],
    ['all messages', { messages: [{ text: 'abcd' }, { text: 'abcd' }] }, 2],
    [
      'a file of text by its bytes',
      parts({ type: 'file', mime: 'text/plain', url: `data:text/plain;base64,${base64(3_999)}` }),
      1_000,
    ],
    [
      'a file of text that is not encoded',
      parts({ type: 'file', mime: 'text/plain', url: `data:,${'abcd'.repeat(10)}` }),
      10,
    ],
    [
      'an image as one of usual size, however many bytes it has',
      parts({ type: 'file', mime: 'image/png', url: `data:image/png;base64,${base64(900_000)}` }),
      1_600,
    ],
    ['an image on the disk', parts({ type: 'file', mime: 'image/png', url: 'file:///a.png' }), 1_600],
    ['no text on the disk', parts({ type: 'file', mime: 'text/plain', url: 'file:///a.txt' }), 0],
    ['no mention of an agent', parts({ type: 'agent', name: 'explore' }), 0],
  ])('counts %s', (_, input, totalTokens) => {
    expect(estimatePrompt(input).totalTokens).toBe(totalTokens)
  })

  test('tells the longest message that has no model of its own', () => {
    const messages = [
      { text: 'abcd' },
      { text: 'abcd'.repeat(3) },
      { text: 'abcd'.repeat(9), model: 'acme/big' as const },
    ]

    expect(estimatePrompt({ messages })).toEqual({ totalTokens: 13, longestTokens: 3 })
  })
})

function parts(...given: NonNullable<NonNullable<ParsedTaskInput['messages']>[number]['parts']>) {
  return { messages: [{ parts: given }] }
}
