import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { headlessConfig } from '../../src/services/headless-config.ts'

interface Service {
  ports?: string[]
  environment: Record<string, string> | string[]
  volumes: string[]
  networks: string[]
  [key: string]: unknown
}

const text = readFileSync('docker-compose.yml', 'utf8')
// Docker knows "<<" of YAML 1.1.
const { services, volumes } = parse(text, { merge: true })
const { redis, opencode, api, workers, maintenance } = services
const ours: Service[] = [api, workers, maintenance]

test('docker-compose.yml starts a Redis that keeps everything and drops nothing', () => {
  const options = redis.command.slice(1).join(' ')
  expect(options).toContain('--appendonly yes')
  expect(options).toContain('--appendfsync everysec')
  expect(options).toContain('--maxmemory-policy noeviction')
  expect(options).toContain('--stream-node-max-bytes 2048')
  expect(redis.volumes).toEqual(['redis:/data'])
  expect(Object.keys(volumes)).toContain('redis')
})

test('docker-compose.yml starts the Redis that the tests use, and it says when it is ready', () => {
  expect(readFileSync('test/setup/redis-server.ts', 'utf8')).toContain(`'${redis.image}'`)
  expect(redis.healthcheck.test).toEqual(['CMD', 'redis-cli', '-e', 'ping'])
})

test('docker-compose.yml opens ports to this machine only', () => {
  for (const { ports = [] } of Object.values<Service>(services))
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([])
})

test('docker-compose.yml has an OpenCode set up as that of tierline up, and that cannot reach Redis', () => {
  const prefix = 'OPENCODE_CONFIG_CONTENT='
  const given = opencode.environment.find((entry: string) => entry.startsWith(prefix))
  expect(JSON.parse(given.slice(prefix.length))).toEqual(headlessConfig(undefined, {}))
  expect(redis.networks).toEqual(['data'])
  expect(opencode.networks).toEqual(['agents'])
})

test('docker-compose.yml runs nothing of ours as root, and gives it little', () => {
  for (const service of ours)
    expect(service).toMatchObject({ user: '${RUN_AS:-1000:1000}', read_only: true, cap_drop: ['ALL'] })
  expect(opencode).toMatchObject({ user: '${RUN_AS:-1000:1000}', cap_drop: ['ALL'] })
})

test('docker-compose.yml mounts the workspace at its own path everywhere', () => {
  expect(opencode.volumes[0]).toEqual({
    type: 'bind',
    source: '${WORKSPACE:?set it in .env}',
    target: '${WORKSPACE}',
  })
  const looking = { type: 'bind', source: '${WORKSPACE}', target: '${WORKSPACE}', read_only: true }
  for (const service of ours) expect(service.volumes[0]).toEqual(looking)
})

test('.env.example has all variables of docker-compose.yml, those that are required without comment', () => {
  const example = readFileSync('.env.example', 'utf8')
  const named = (pattern: RegExp): Set<string> =>
    new Set([...text.matchAll(pattern)].map(([, name]) => name!))
  for (const name of named(/\$\{([A-Z_]+):\?/g)) expect(example).toMatch(new RegExp(`^${name}=`, 'm'))
  for (const name of named(/\$\{([A-Z_]+)/g)) expect(example).toMatch(new RegExp(`^#?${name}=`, 'm'))
})

test('the images hold what runs: Dockerfile and .dockerignore name what is there', () => {
  const copied = [...readFileSync('Dockerfile', 'utf8').matchAll(/^COPY (?!--from)(.*) \S+$/gm)]
  const sent = readFileSync('.dockerignore', 'utf8').split('\n')
  for (const name of copied.flatMap(([, names]) => names!.split(' '))) expect(sent).toContain(`!${name}`)
})
