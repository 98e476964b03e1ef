import { describe, expect, test } from 'vitest'
import { nearestNames } from '../../src/tasks/nearest.ts'

const MODELS = [
  'openai/gpt-5.4-mini',
  'openai/gpt-5.5',
  'anthropic/claude-opus-4-8',
  'anthropic/claude-sonnet-5',
  'anthropic/claude-haiku-4-5',
  'openrouter/anthropic/claude-haiku-4-5',
  'openrouter-free/llama',
  'acme/nano',
]

describe('nearestNames()', () => {
  test.each([
    ['a typing error', 'acme/nanoo', 'acme/nano'],
    ['a part of a name', 'opus', 'anthropic/claude-opus-4-8'],
    ['a model without its provider', 'claude-haiku', 'anthropic/claude-haiku-4-5'],
    ['a model of the wrong provider', 'anthropic/gpt-5.5', 'openai/gpt-5.5'],
    ['the model rather than the provider', 'openrouter-free/nano', 'acme/nano'],
    ['other capitals', 'OpenAI/GPT-5.5', 'openai/gpt-5.5'],
    ['a version too much', 'anthropic/claude-haiku-4-5-20251001', 'anthropic/claude-haiku-4-5'],
  ])('finds %s', (_, given, nearest) => {
    expect(nearestNames(given, MODELS)[0]).toBe(nearest)
  })

  test('gives at most five, all different', () => {
    const names = nearestNames('gpt', MODELS)

    expect(names).toHaveLength(5)
    expect(new Set(names).size).toBe(5)
  })

  test('orders names as near as each other by name', () => {
    expect(nearestNames('x', ['b', 'a'])).toEqual(['a', 'b'])
  })

  test('takes empty and endless text', () => {
    expect(nearestNames('', ['a'])).toEqual(['a'])
    expect(nearestNames('a'.repeat(1_000_000), ['a', 'b'])[0]).toBe('a')
    expect(nearestNames('a', [])).toEqual([])
  })
})
