import { expect, test } from 'vitest'
import { parseTaskInput } from '../../src/tasks/parse-input.ts'

const parse = (input: unknown) => () => parseTaskInput(input, { maxPromptBytes: 1024 })

test.each([
  [{ priority: 1.5 }, 'priority', 'must be a whole number, and is 1.5'],
  [{ delayMs: 1e308 }, 'delayMs', 'must be at most 31536000000'],
  [{ metadata: { a: {} } }, 'metadata.a', 'must be a string, a number or true or false, and is an object'],
  [{ model: 7 }, 'model', 'must be a string or an object, and is 7'],
  [JSON.parse('{"metadata":{"__proto__":"x"}}'), 'metadata.__proto__', 'is no name that may be used'],
  [{ prompt: undefined, messages: [] }, 'messages', 'must have at least 1 entry'],
  [
    { prompt: undefined, messages: [{ parts: [{ type: 'txt', text: 'x' }] }] },
    'messages.0.parts.0.type',
    'must be "text" or "file"',
  ],
  [{ permissions: { bash: 'maybe' } }, 'permissions.bash', expect.stringContaining('allow')],
  [{ prompt: undefined }, 'prompt', 'is required: a prompt, or messages'],
  [{ messages: [{ text: 'y' }] }, 'messages', 'contradicts "prompt": give one of them'],
  [
    { isolation: 'worktree', sessionID: 'ses_1' },
    'isolation',
    'contradicts "sessionID": a session stays in its directory',
  ],
])('parseTaskInput(%j) says what is wrong', (fields, field, message) => {
  expect(parse({ prompt: 'x', ...fields, ...(fields.metadata && { metadata: fields.metadata }) })).toThrow(
    expect.objectContaining({ code: 'invalid_input', errors: [expect.objectContaining({ field, message })] }),
  )
})

test.each([
  [{ promt: 'x' }, 'promt', 'prompt'],
  [{ timeoutS: 5 }, 'timeoutS', 'timeoutMs'],
  [{ prompt: undefined, messages: [{ text: 'a', agnet: 'b' }] }, 'messages.0.agnet', 'agent'],
  [{ model: { providerId: 'acme', modelID: 'nano', providerID: 'acme' } }, 'model.providerId', 'providerID'],
])('parseTaskInput(%j) says which field is meant', (fields, field, meant) => {
  const error = expect.objectContaining({ field, allowed: expect.arrayContaining([meant]) })

  expect(parse({ prompt: 'x', ...fields })).toThrow(
    expect.objectContaining({ code: 'unknown_field', errors: [error] }),
  )
})

test('rubbish is not compared without end', () => {
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`promt${n}`, n]))

  expect(parse({ prompt: 'x', ...many })).toThrow(
    expect.objectContaining({
      errors: expect.arrayContaining([{ field: 'promt39', message: 'is not a known field' }]),
    }),
  )
})
