import { expect, test } from 'vitest'
import { checkVerifiers } from '../../src/config/check-verifiers.ts'

const VERIFIERS = new Map([['tests-pass', { run: ['npm', 'test'], timeoutMs: 60_000 }]])
const at = (url: string) => [{ name: 's1', url }]

test.each(['http://127.0.0.1:4096', 'http://localhost:4096', 'http://[::1]:4096'])(
  'checkVerifiers() takes a server at %s, whose files are here',
  (url) => checkVerifiers(at(url), { verifiers: VERIFIERS }),
)

test('checkVerifiers() refuses a server elsewhere, and only where there are verifiers', () => {
  expect(() => checkVerifiers(at('http://10.0.0.6:4096'), { verifiers: VERIFIERS })).toThrow(
    expect.objectContaining({
      code: 'invalid_config',
      errors: [expect.objectContaining({ field: 'verifiers' })],
    }),
  )
  checkVerifiers(at('http://10.0.0.6:4096'), { verifiers: new Map() })
})
