import { describe, expect, test } from 'vitest'
import { maskRedisUrl, parseRedisUrl } from '../../src/redis/redis-url.ts'

describe('parseRedisUrl()', () => {
  test.each([
    ['redis://localhost', { host: 'localhost', port: 6379, db: 0, family: 0 }],
    ['redis://:p%40ss@h:1/2', { host: 'h', port: 1, db: 2, family: 0, password: 'p@ss' }],
    [
      'redis://me:pw@[::1]:1?family=6',
      { host: '::1', port: 1, db: 0, family: 6, username: 'me', password: 'pw' },
    ],
    ['rediss://h', { host: 'h', port: 6379, db: 0, family: 0, tls: {} }],
    ['/run/redis.sock', { path: '/run/redis.sock', db: 0 }],
    ['unix://:p%40ss@/run/redis.sock?db=3', { path: '/run/redis.sock', db: 3, password: 'p@ss' }],
  ])('%s', (url, options) => {
    expect(parseRedisUrl(url)).toEqual(options)
  })

  test.each([
    '',
    'localhost:6379',
    'http://:hunter2@localhost',
    'redis://',
    'redis://:hunter2@h/zero',
    'redis://:hunter2@h?enableOfflineQueue=true',
    'redis://:hunter2%@h',
    '//:hunter2@h',
  ])('refuses "%s" and does not repeat it', (url) => {
    expect(() => parseRedisUrl(url)).toThrow(
      expect.objectContaining({
        code: 'invalid_config',
        message: expect.not.stringContaining('hunter2'),
        errors: [expect.not.objectContaining({ given: expect.anything() })],
      }),
    )
  })
})

describe('maskRedisUrl()', () => {
  test.each([
    ['redis://localhost:6379/1', 'redis://localhost:6379/1'],
    ['redis://:hunter2@localhost', 'redis://:***@localhost'],
    ['rediss://me:hunt@er2@localhost?password=hunter2', 'rediss://me:***@localhost'],
    ['unix://:hunter2@/run/redis.sock', 'unix://:***@/run/redis.sock'],
    ['/run/redis.sock', '/run/redis.sock'],
  ])('%s', (url, masked) => {
    expect(maskRedisUrl(url)).toBe(masked)
  })
})
