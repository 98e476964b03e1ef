import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { connectRedis } from '../../src/redis/connect.ts'
import { createScript } from '../../src/redis/script.ts'
import { agedBytes } from '../setup/aged-bytes.ts'
import { test } from './own-redis-test.ts'

/** One that no server knows. */
const newScript = (lua: string) => createScript(`-- ${randomBytes(8).toString('hex')}\n${lua}`)

test('is given to a server that does not know it, and then goes by its name', async ({
  own: { client: redis },
}) => {
  const script = newScript('return { KEYS[1], ARGV[1], ARGV[2] }')
  const run = () => script(redis, 1, ['a', 'b', 2])
  await redis.config('RESETSTAT')

  // In one turn: the second goes out before the first is answered.
  expect(await Promise.all([run(), run(), run()])).toEqual(Array(3).fill(['a', 'b', '2']))
  const stats = await redis.info('commandstats')
  expect(stats).toMatch(/cmdstat_eval:calls=1,/)
  expect(stats).toMatch(/cmdstat_evalsha:calls=2,.*failed_calls=0/)
})

test('is given to a server again that forgot its scripts', async ({ own: { client: redis } }) => {
  const script = newScript('return ARGV[1]')
  await script(redis, 0, ['before'])
  await redis.script('FLUSH')

  expect(await Promise.all([script(redis, 0, ['one']), script(redis, 0, ['two'])])).toEqual(['one', 'two'])
})

test('is given to the server on each new connection, what waited for it too', async ({ own }) => {
  const redis = own.client
  const client = await connectRedis(own.url, { name: 'test', whenAway: 'wait' })
  const script = newScript('return ARGV[1]')
  try {
    await script(client, 0, ['before'])
    await redis.script('FLUSH')
    await redis.client('KILL', 'ID', String(await client.client('ID')))

    expect(await Promise.all([script(client, 0, ['one']), script(client, 0, ['two'])])).toEqual([
      'one',
      'two',
    ])
  } finally {
    client.disconnect()
  }
})

test('an error of the script is the error', async ({ own: { client: redis } }) => {
  await expect(newScript('return redis.error_reply("MINE is this")')(redis, 0, [])).rejects.toThrow(
    'MINE is this',
  )
})

test('nothing of what is sent and answered stays once it is over', async ({ own: { client: redis } }) => {
  const script = newScript('return ARGV[1]')
  const say = 'x'.repeat(50_000)
  const some = async () => {
    for (let index = 0; index < 1_000; index += 1) await script(redis, 0, [`${index} ${say}`])
  }
  await some()

  // What was said and answered are 100 MB.
  expect(await agedBytes(some)).toBeLessThan(20_000_000)
})
