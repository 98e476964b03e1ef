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
    expect(parseRedisUrl(url)).toEqual({ options, clusterNodes: undefined })
  })

  test.each([
    ['redis+cluster://a:7001,b', {}, { host: 'a', port: 7001 }, { host: 'b', port: 6379 }],
    ['redis+cluster://:p%40ss@a/0', { password: 'p@ss' }, { host: 'a', port: 6379 }],
    [
      'rediss+cluster://me:pw@[::1]:1,b:2?family=6',
      { username: 'me', password: 'pw', tls: {}, family: 6 },
      { host: '::1', port: 1 },
      { host: 'b', port: 2 },
    ],
  ])('%s', (url, options, ...clusterNodes) => {
    expect(parseRedisUrl(url)).toEqual({ options: { family: 0, ...options }, clusterNodes })
  })

  test.each([
    ['redis+sentinel://a,b:1/mymaster', { name: 'mymaster', db: 0 }],
    ['redis+sentinel://:pw@a,b:1/my%20master/3', { name: 'my master', db: 3, password: 'pw' }],
    [
      'rediss+sentinel://a,b:1/m?sentinelUsername=me&sentinelPassword=p%40ss',
      {
        name: 'm',
        db: 0,
        tls: {},
        sentinelTLS: {},
        enableTLSForSentinelMode: true,
        sentinelUsername: 'me',
        sentinelPassword: 'p@ss',
      },
    ],
  ])('%s', (url, options) => {
    const sentinels = [
      { host: 'a', port: 26379 },
      { host: 'b', port: 1 },
    ]
    expect(parseRedisUrl(url)).toEqual({
      options: { family: 0, sentinels, ...options },
      clusterNodes: undefined,
    })
  })

  test('says what a cluster and a Sentinel need', () => {
    expect(() => parseRedisUrl('redis+cluster://a/1')).toThrow('has a database other than 0')
    expect(() => parseRedisUrl('redis+sentinel://a,b')).toThrow(
      'names no master: after the Sentinels comes "/"',
    )
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
    'redis+tcp://:hunter2@h',
    'redis+cluster://:hunter2@',
    'redis+cluster://:hunter2@a,,b',
    'redis+cluster://:hunter2@a:x',
    'redis+cluster://:hunter2@a/1',
    'redis+cluster://a?sentinelPassword=hunter2',
    'redis+sentinel://:hunter2@a/m/x',
    'redis+sentinel://:hunter2@a?sentinelMasterId=m',
    // Else the URL for people would end within the password.
    'redis+cluster://:hunter2?hunter2@a',
    'unix://:hunter2?hunter2@/run/redis.sock',
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
    ['redis+cluster://me:hunter2@a:1,b:2', 'redis+cluster://me:***@a:1,b:2'],
    ['rediss+sentinel://:hunter2@a,b/m/1?sentinelPassword=hunter2', 'rediss+sentinel://:***@a,b/m/1'],
  ])('%s', (url, masked) => {
    expect(maskRedisUrl(url)).toBe(masked)
  })
})
