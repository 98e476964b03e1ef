/** What the embedded Valkey promises: what it acknowledged is there again, or it says that it is not. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect } from 'vitest'
import { closeConnection } from '../../src/redis/close-connection.ts'
import { connectRedis } from '../../src/redis/connect.ts'
import { openLog } from '../../src/redis/embedded/write-ahead-log.ts'
import { eventually } from '../setup/eventually.ts'
import type { TestValkey } from './test-valkey.ts'
import { test } from './valkey-test.ts'

describe('after a kill -9 the embedded Valkey', () => {
  test('has all kinds of data again, in every database', async ({ valkey }) => {
    await valkey.start()
    const redis = await valkey.connect()
    await redis.set('text', 'a\r\n"b"')
    await redis.hset('hash', { a: 1, b: '' })
    await redis.rpush('list', 'x', 'y')
    await redis.zadd('sorted', 1.5, 'one', 'inf', 'two')
    await redis.xadd('stream', '7-1', 'field', 'value')
    await redis.select(3)
    await redis.set('elsewhere', 1)
    await redis.select(0)
    await redis.eval("redis.call('SET', KEYS[1], redis.call('TIME')[1]) return 1", 1, 'time')
    await redis.multi().incr('n').incr('n').del('list').exec()
    const time = await redis.get('time')
    await valkey.kill()

    expect((await valkey.start()).notes).toEqual([])
    expect(await redis.mget('text', 'time', 'n')).toEqual(['a\r\n"b"', time, '2'])
    expect(await redis.hgetall('hash')).toEqual({ a: '1', b: '' })
    expect(await redis.exists('list')).toBe(0)
    expect(await redis.zrange('sorted', '0', '-1', 'WITHSCORES')).toEqual(['one', '1.5', 'two', 'inf'])
    expect(await redis.xrange('stream', '-', '+')).toEqual([['7-1', ['field', 'value']]])
    await redis.select(3)
    expect(await redis.get('elsewhere')).toBe('1')
  })

  test('has again what was done after a snapshot, and after the start before', async ({ valkey }) => {
    await valkey.start()
    const redis = await valkey.connect()
    for (let round = 1; round <= 3; round += 1) {
      await redis.select(2)
      await redis.incr('n')
      // Anybody may ask for one, at any point of the log.
      await redis.call('SAVE')
      await redis.incr('n')
      await valkey.kill()
      await valkey.start()
      await redis.select(2)
      expect(await redis.get('n')).toBe(String(round * 2))
    }
    await valkey.stop()
    expect(readdirSync(valkey.directory).filter((name) => name.endsWith('.log'))).toHaveLength(1)
    await valkey.start()
    await redis.select(2)
    expect(await redis.get('n')).toBe('6')
  })

  test('lets a key expire that was changed before its time was over, and none earlier', async ({
    valkey,
  }) => {
    await valkey.start()
    const redis = await valkey.connect()
    await redis.set('counter', 1, 'PX', 1_500)
    await redis.call('SAVE')
    await redis.set('lock', 'a', 'PX', 1_500)
    await redis.incr('counter')
    await redis.append('lock', 'b')
    await redis.set('long', 1, 'EX', 1_000)
    await valkey.kill()
    const goneAt = Date.now() + 1_500
    await eventually(() => expect(Date.now()).toBeGreaterThan(goneAt))
    await valkey.start()

    // Neither is back without an end: replayed at today's time, INCR would have made a new one.
    expect(await redis.mget('counter', 'lock', 'long')).toEqual([null, null, '1'])
    expect(await redis.ttl('long')).toBeGreaterThan(900)
  })
})

describe('an embedded Valkey', () => {
  test('shares its directory with no other process', async ({ valkey }) => {
    await valkey.start()
    const redis = await valkey.connect()
    await redis.set('a', 1)
    const pid = valkey.pid()

    const rival = fileURLToPath(new URL('../../workers/valkey.ts', import.meta.url))
    const settings = { directory: valkey.directory, port: 0, password: 'x', fsync: 'no', lockWaitMs: 0 }
    const { status, stderr } = spawnSync(process.execPath, [rival], {
      input: JSON.stringify(settings),
      encoding: 'utf8',
    })
    expect(status).toBe(1)
    expect(stderr).toContain(
      `Cannot use the data directory "${valkey.directory}": it is used by process ${pid}`,
    )
    expect(await redis.get('a')).toBe('1')
  })

  test('refuses a format that it does not know, and data without one', async ({ valkey }) => {
    await valkey.start()
    await valkey.stop()
    const format = join(valkey.directory, 'format.json')
    for (const [text, says] of [
      ['{"format":2}', 'its format is 2, this version knows 1'],
      ['{"form', 'its format is not readable'],
      [undefined, 'its format is not said'],
    ] as const) {
      if (text === undefined) rmSync(format)
      else writeFileSync(format, text)
      await expect(valkey.start()).rejects.toThrow(says)
    }
  })

  test('takes more connections in its life than it has numbers for', async ({ valkey }) => {
    await valkey.start()
    const redis = await valkey.connect()
    for (let batch = 0; batch < 70; batch += 1)
      await Promise.all(Array.from({ length: 100 }, () => askOnce(valkey.url)))

    expect(await redis.ping()).toBe('PONG')
    expect(await askOnce(valkey.url)).toBe('+OK\r\n+OK\r\n')
  })

  test.for([
    ['the connection of its log is killed', ['CLIENT', 'KILL', 'TYPE', 'replica']],
    ['a client ends it', ['SHUTDOWN', 'NOSAVE']],
  ] as const)('ends rather than go on without a log when %s', async ([, [command, ...words]], { valkey }) => {
    await valkey.start()
    const redis = await valkey.connect()
    await redis.set('a', 1)
    const other = await connectRedis(valkey.url, { name: 'test', whenAway: 'fail' })
    await other.call(command, ...words).catch(() => {})
    closeConnection(other)
    await valkey.ended()

    await valkey.start()
    expect(await redis.get('a')).toBe('1')
  })

  test('says goodbye before it closes', async ({ valkey }) => {
    await valkey.start()
    expect(await askOnce(valkey.url)).toBe('+OK\r\n+OK\r\n')
  })
})

describe('of damaged files the embedded Valkey', () => {
  test('takes a log up to a record that was cut short, and says so', async ({ valkey }) => {
    await valkey.start()
    const redis = await valkey.connect()
    await redis.set('a', 1)
    await redis.set('b', 2)
    await valkey.kill()
    const log = lastLog(valkey)
    truncateSync(log, statSync(log).size - 1)

    const { notes } = await valkey.start()
    expect(notes).toEqual([
      expect.stringMatching(/^cut \d+ bytes off the end of ".*\.log": a write that was not/),
    ])
    expect(await redis.mget('a', 'b')).toEqual(['1', null])
    // What was cut off does not come back, and what is new goes behind it.
    await redis.set('c', 3)
    await valkey.kill()
    expect((await valkey.start()).notes).toEqual([])
    expect(await redis.mget('a', 'b', 'c')).toEqual(['1', null, '3'])
  })

  describe('with fsync always', () => {
    test.override({ fsync: 'always' })

    test.for([
      ['a bit of the log flipped', (file: Buffer) => file.writeUInt8(file.readUInt8(200) ^ 4, 200)],
      ['a part of the log zeroed', (file: Buffer) => file.fill(0, 150, 300)],
      ['the beginning of the log zeroed', (file: Buffer) => file.fill(0, 0, 10)],
    ] as const)('refuses %s, since all of it was safe', async ([, damage], { valkey }) => {
      await valkey.start()
      const redis = await valkey.connect()
      for (let i = 0; i < 10; i += 1) await redis.set(`key${i}`, 'value')
      await valkey.kill()
      change(lastLog(valkey), damage)
      const before = readFileSync(lastLog(valkey))

      await expect(valkey.start()).rejects.toThrow(
        /Cannot open the data in ".*": ".*0001\.log" is damaged at/,
      )
      expect(readFileSync(lastLog(valkey)).equals(before)).toBe(true)
    })
  })

  test.for([
    ['truncated', (path: string) => truncateSync(path, statSync(path).size - 20)],
    ['cut to nothing', (path: string) => truncateSync(path, 0)],
    [
      'with a bit flipped',
      (path: string) => change(path, (file) => file.writeUInt8(file.readUInt8(400) ^ 1, 400)),
    ],
    [
      'with its beginning flipped',
      (path: string) => change(path, (file) => file.writeUInt8(file.readUInt8(60) ^ 1, 60)),
    ],
    ['with its end zeroed', (path: string) => change(path, (file) => file.fill(0, file.length - 300))],
    ['that is gone', (path: string) => rmSync(path)],
  ] as const)('refuses a snapshot %s', async ([, damage], { valkey }) => {
    await valkey.start()
    const redis = await valkey.connect()
    for (let i = 0; i < 100; i += 1) await redis.set(`key${i}`, `value${i}`)
    await valkey.stop()
    damage(join(valkey.directory, 'dump.rdb'))

    await expect(valkey.start()).rejects.toThrow(/Cannot open the data in ".*": .*(snapshot|\.rdb)/)
  })

  test.for([
    ['no commands', 'What is this?\r\n*x'],
    ['half a command', '*2\r\n$3\r\nSET\r\n'],
    ['a command that fails', '*1\r\n$7\r\nNOTHING\r\n'],
  ])('refuses a log that is whole and has %s', async ([, text], { valkey }) => {
    mkdirSync(valkey.directory, { recursive: true })
    writeFileSync(join(valkey.directory, 'format.json'), '{"format":1}')
    const streamId = 'f'.repeat(40)
    const log = openLog({
      directory: valkey.directory,
      fsync: 'no',
      streamId,
      offset: 0,
      older: [],
      sequence: 1,
    })
    log.append(Buffer.from(text!))
    log.close()

    await expect(valkey.start()).rejects.toThrow('Valkey does not understand the log')
  })

  test('refuses a snapshot whose log is gone', async ({ valkey }) => {
    await valkey.start()
    const redis = await valkey.connect()
    await redis.set('a', 1)
    await redis.call('SAVE')
    await redis.set('b', 1)
    await valkey.kill()
    rmSync(lastLog(valkey))

    await expect(valkey.start()).rejects.toThrow('the log that goes on from the snapshot is missing')
  })
})

function lastLog({ directory }: TestValkey): string {
  return join(
    directory,
    readdirSync(directory)
      .filter((name) => name.endsWith('.log'))
      .sort()
      .at(-1)!,
  )
}

function change(path: string, damage: (file: Buffer) => unknown): void {
  const file = readFileSync(path)
  damage(file)
  writeFileSync(path, file)
}

/** All that a short connection is told. */
async function askOnce(url: string): Promise<string> {
  const { hostname, port, password } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.end(`AUTH ${password}\r\nQUIT\r\n`)
  let told = ''
  socket.on('data', (bytes) => {
    told += bytes
  })
  await once(socket, 'close')
  return told
}
