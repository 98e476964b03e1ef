import type { Redis } from 'ioredis'
import { TierlineError } from '../errors.ts'

const KEYS_AT_ONCE = 200
const ELEMENTS_AT_ONCE = 1_000

/**
 * Copies every key of one database into another, of any version: type by type, since one does not read the dumps of
 * the other. A key that is there is replaced. Not atomic, so nobody may write to either side meanwhile. `targetOf`:
 * the connection for this key, since those of a cluster are on several nodes.
 *
 * @returns how many keys were copied. @throws {TierlineError} `redis_unsuitable` for a type that tierline does not use.
 */
export async function copyKeys(source: Redis, targetOf: (key: string) => Promise<Redis>): Promise<number> {
  // A scan may give a key twice.
  const copied = new Set<string>()
  for await (const found of source.scanStream({ count: KEYS_AT_ONCE })) {
    const keys = (found as string[]).filter((key) => !copied.has(key))
    await Promise.all(keys.map(async (key) => copyKey(source, await targetOf(key), key)))
    for (const key of keys) copied.add(key)
  }
  return copied.size
}

async function copyKey(source: Redis, target: Redis, key: string): Promise<void> {
  const [type, ttlMs] = await Promise.all([source.type(key), source.pttl(key)])
  if (type === 'none') return
  const copy = COPY[type]
  if (copy === undefined) throw unknown(key, `type "${type}"`)
  await target.del(key)
  await copy(source, target, key)
  if (ttlMs >= 0) await target.pexpire(key, Math.max(1, ttlMs))
}

type Copy = (source: Redis, target: Redis, key: string) => Promise<unknown>

const COPY: Readonly<Record<string, Copy>> = {
  async string(source, target, key) {
    const value = await source.getBuffer(key)
    if (value !== null) await target.set(key, value)
  },

  async list(source, target, key) {
    for (let from = 0; ; from += ELEMENTS_AT_ONCE) {
      const elements = await source.lrangeBuffer(key, from, from + ELEMENTS_AT_ONCE - 1)
      if (elements.length === 0) return
      await target.rpush(key, ...elements)
    }
  },

  hash: (source, target, key) =>
    scan(
      (cursor) => source.hscanBuffer(key, cursor, 'COUNT', ELEMENTS_AT_ONCE),
      (fieldsAndValues) => target.hset(key, ...fieldsAndValues),
    ),

  set: (source, target, key) =>
    scan(
      (cursor) => source.sscanBuffer(key, cursor, 'COUNT', ELEMENTS_AT_ONCE),
      (members) => target.sadd(key, ...members),
    ),

  zset: (source, target, key) =>
    scan(
      (cursor) => source.zscanBuffer(key, cursor, 'COUNT', ELEMENTS_AT_ONCE),
      (membersAndScores) =>
        target.zadd(key, ...membersAndScores.map((_, i) => membersAndScores[i % 2 === 0 ? i + 1 : i - 1]!)),
    ),

  async stream(source, target, key) {
    const facts = (await source.xinfo('STREAM', key)) as unknown[]
    const fact = (name: string) => facts[facts.indexOf(name) + 1]
    if (fact('groups') !== 0) throw unknown(key, 'a stream with consumer groups')
    // An empty one is made by a group that goes again.
    await target.xgroup('CREATE', key, 'moving', '0', 'MKSTREAM')
    await target.xgroup('DESTROY', key, 'moving')
    let from = '-'
    for (;;) {
      const entries = await source.xrangeBuffer(key, from, '+', 'COUNT', ELEMENTS_AT_ONCE)
      if (entries.length === 0) break
      await Promise.all(entries.map(([id, fields]) => target.xadd(key, id, ...fields)))
      from = `(${entries.at(-1)![0]}`
    }
    // The id of its next entry must be larger than that of any it ever had.
    await target.call('XSETID', key, String(fact('last-generated-id')))
  },
}

async function scan(
  read: (cursor: string) => Promise<[Buffer | string, Buffer[]]>,
  write: (elements: Buffer[]) => Promise<unknown>,
): Promise<void> {
  let cursor = '0'
  do {
    const [next, elements] = await read(cursor)
    if (elements.length > 0) await write(elements)
    cursor = String(next)
  } while (cursor !== '0')
}

function unknown(key: string, what: string): TierlineError {
  return new TierlineError(
    'redis_unsuitable',
    `Cannot copy the key "${key}": it is ${what}, which tierline never writes; remove it if it is not yours`,
  )
}
