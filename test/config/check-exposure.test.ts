import { describe, expect, test } from 'vitest'
import { allowedRoots, checkExposure, isLoopback } from '../../src/config/check-exposure.ts'

describe('checkExposure()', () => {
  const keys = [{ name: 'ci', secret: '0123456789abcdef' }]
  const nowhere = { directories: { allow: null } }
  const somewhere = { directories: { allow: ['/srv'] } }

  test.each([
    ['loopback without keys', { host: '127.0.0.1', apiKeys: [], directories: null }, nowhere],
    [
      'keys and directories of the environment',
      { host: '0.0.0.0', apiKeys: keys, directories: ['/srv'] },
      nowhere,
    ],
    ['keys and directories of the file', { host: '::', apiKeys: keys, directories: null }, somewhere],
  ])('takes %s', (_, settings, config) => {
    expect(() => checkExposure(settings, config)).not.toThrow()
  })

  test.each([
    [
      'listening to all without keys',
      { host: '0.0.0.0', apiKeys: [], directories: null },
      nowhere,
      'TIERLINE_API_KEYS',
    ],
    [
      'the same with directories',
      { host: 'tierline.internal', apiKeys: [], directories: ['/srv'] },
      somewhere,
      'TIERLINE_API_KEYS',
    ],
    [
      'keys without directories',
      { host: '127.0.0.1', apiKeys: keys, directories: null },
      nowhere,
      'TIERLINE_DIRECTORIES',
    ],
  ])('refuses %s', (_, settings, config, field) => {
    expect(() => checkExposure(settings, config)).toThrow(
      expect.objectContaining({ code: 'invalid_config', errors: [expect.objectContaining({ field })] }),
    )
  })
})

test('allowedRoots() are those of the environment before those of the file', () => {
  expect(allowedRoots({ directories: ['/a'] }, { directories: { allow: ['/b'] } })).toEqual(['/a'])
  expect(allowedRoots({ directories: null }, { directories: { allow: ['/b'] } })).toEqual(['/b'])
  expect(allowedRoots({ directories: null }, { directories: { allow: null } })).toBeNull()
})

test.each([
  ['127.0.0.1', true],
  ['127.255.0.9', true],
  ['localhost', true],
  ['::1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['127.0.0.1.example', false],
])('isLoopback(%s) → %s', (host, loopback) => {
  expect(isLoopback(host)).toBe(loopback)
})
