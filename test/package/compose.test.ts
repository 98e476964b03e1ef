import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

const { services, volumes } = parse(readFileSync('docker-compose.yml', 'utf8'))
const { redis } = services

test('docker-compose.yml starts a Redis that keeps everything and drops nothing', () => {
  const options = redis.command.slice(1).join(' ')
  expect(options).toContain('--appendonly yes')
  expect(options).toContain('--appendfsync everysec')
  expect(options).toContain('--maxmemory-policy noeviction')
  expect(redis.volumes).toEqual(['redis:/data'])
  expect(Object.keys(volumes)).toEqual(['redis'])
})

test('docker-compose.yml starts the Redis that the tests use, and it says when it is ready', () => {
  expect(readFileSync('test/setup/redis-server.ts', 'utf8')).toContain(`'${redis.image}'`)
  expect(redis.healthcheck.test).toEqual(['CMD', 'redis-cli', '-e', 'ping'])
})

test('docker-compose.yml opens ports to this machine only', () => {
  for (const { ports = [] } of Object.values<{ ports?: string[] }>(services))
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([])
})
