import { expect, test } from 'vitest'
import { masked, maskedText } from '../../../src/http/board/mask.ts'

test.each([
  'apiKey',
  'API_KEY',
  'key',
  'idempotencyKey',
  'token',
  'accessToken',
  'password',
  'clientSecret',
  'Authorization',
])('masks a text called %s, however deep', (name) => {
  expect(masked({ a: [{ [name]: 'hunter2', b: 1 }] })).toEqual({ a: [{ [name]: '[masked]', b: 1 }] })
})

test.each([
  ['use sk-ant-abc_DEF-123456 now', 'use sk-[masked] now'],
  ['Authorization: Bearer abcdefghij0123456789', 'Authorization: Bearer [masked]'],
  ['ghp_abcdefghij0123456789', 'ghp_[masked]'],
  ['https://me:hunter2@example.com/x', 'https://me:[masked]@example.com/x'],
  [
    '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----',
    '-----BEGIN RSA PRIVATE KEY-----[masked]-----END RSA PRIVATE KEY-----',
  ],
  ['sk-aaaaaaaaaa and sk-bbbbbbbbbb', 'sk-[masked] and sk-[masked]'],
])('masks what looks like a secret in a text: %s', (text, safe) => {
  expect(maskedText(text)).toBe(safe)
  expect(masked({ prompt: [text] })).toEqual({ prompt: [safe] })
})

test.each([
  { usage: { inputTokens: 7, outputTokens: 9 } },
  { maxTokens: '1000', keyboard: 'de', monkey: 3, tokens: 'many' },
  { prompt: 'the bearer of this letter, task-like, risk-free', at: 'http://localhost:4400/@x' },
  { nothing: null, yes: true },
])('leaves %o alone', (value) => {
  expect(masked(value)).toEqual(value)
})
