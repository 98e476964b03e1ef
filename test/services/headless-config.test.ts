import { describe, expect, test } from 'vitest'
import { headlessConfig } from '../../src/services/headless-config.ts'

const HEADLESS = {
  snapshot: false,
  share: 'disabled',
  autoupdate: false,
}

describe('headlessConfig()', () => {
  test('says nothing of permissions: those are its user’s, and the policy’s', () => {
    expect(headlessConfig(undefined, {})).toEqual(HEADLESS)
  })

  test('keeps what the user set, except what headless work needs', () => {
    const inherited = JSON.stringify({
      model: 'acme/big',
      snapshot: true,
      permission: { question: 'allow', bash: 'deny' },
    })

    expect(headlessConfig(inherited, {})).toEqual({
      ...HEADLESS,
      model: 'acme/big',
      permission: { question: 'allow', bash: 'deny' },
    })
  })

  test('adds what the caller gives, key by key', () => {
    const inherited = JSON.stringify({ provider: { acme: { npm: 'a' } } })
    const extra = { provider: { acme: { name: 'Acme' } }, snapshot: true }

    expect(headlessConfig(inherited, extra)).toEqual({
      ...HEADLESS,
      provider: { acme: { npm: 'a', name: 'Acme' } },
      snapshot: true,
    })
  })

  test.each(['[]', '{"apiKey": "hunter2"', '1'])('refuses %s without repeating it', (inherited) => {
    expect(() => headlessConfig(inherited, {})).toThrow(
      expect.objectContaining({
        code: 'invalid_config',
        message: 'Cannot use OPENCODE_CONFIG_CONTENT: it is not a JSON object',
      }),
    )
  })
})
