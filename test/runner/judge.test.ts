import { expect, test } from 'vitest'
import { judge } from '../../src/runner/judge.ts'
import type { Task } from '../../src/tasks/task.ts'

const NEVER = new AbortController().signal
const noVerifier = () => Promise.reject(new Error('there are no verifiers'))

function judged(text: string, schema: Record<string, unknown>) {
  const result = { text } as NonNullable<Task['result']>
  return judge({ columns: [], isolation: 'shared', schema }, { result, directory: null }, noVerifier, NEVER)
}

const NUMBER = { type: 'integer' }

test.for(['1', ' 1\n', '```json\n1\n```', '```\n\n 1\n\n```\n', '  ```json \r\n1\r\n```  '])(
  'an answer is judged without the fence around it: %j',
  async (text) => {
    expect(await judged(text, NUMBER)).toEqual({ by: 'output', passed: true, detail: '' })
  },
)

test.for(['```js\n1\n```', '```json\n1', '```json 1```', '```', '```\n```', ''])(
  'what only looks like a fence is no JSON: %j',
  async (text) => {
    expect(await judged(text, NUMBER)).toMatchObject({
      passed: false,
      detail: expect.stringMatching(/^is not JSON/),
    })
  },
)

test('an answer that ends in nothing but blank lines is judged at once', async () => {
  for (const opening of ['```json', '```json\n{'])
    expect(await judged(`${opening}${'\n'.repeat(300_000)}`, NUMBER)).toMatchObject({ passed: false })
})

test('a pattern that a regular expression takes years for does not stop the worker', async () => {
  const schema = { type: 'string', pattern: '^(a+)+$' }

  expect(await judged('"aaa"', schema)).toMatchObject({ passed: true })
  expect(await judged(`"${'a'.repeat(60)}!"`, schema)).toMatchObject({
    passed: false,
    detail: 'cannot be held to the schema within 1000 ms',
  })
})
