import { expect, onTestFinished } from 'vitest'
import { type Cooldowns, followCooldowns, readCooldowns } from '../../src/limits/cooldowns.ts'
import { scriptsOn } from '../../src/redis/scripts.ts'
import { createLiveHub } from '../../src/stream/live-hub.ts'
import { eventually } from '../setup/eventually.ts'
import { test as base } from '../setup/redis-test.ts'

const MODEL = 'acme/nano'
const policy = { cooldownMs: 1_000, maxCooldownMs: 3_000 }

interface Fixture {
  /** Another process, which has heard of everything so far. */
  process(): Promise<Cooldowns>
  /** What time it is for all of them. */
  clock: { now: number }
  read(): Promise<ReadonlyMap<string, number>>
}

const test = base.extend<{ cooling: Fixture }>({
  cooling: async ({ redis: { keys, connect } }, use) => {
    const redis = await connect('wait')
    const scripts = scriptsOn(redis)
    const clock = { now: 1_800_000_000_000 }
    await use({
      clock,
      read: () => readCooldowns(redis, keys, clock.now),
      async process() {
        const hub = createLiveHub(await connect('wait'), 1_000_000)
        const followed = await followCooldowns({
          ...{ redis, scripts, keys, hub, policy },
          now: () => clock.now,
        })
        onTestFinished(async () => {
          followed.close()
          await hub.close()
        })
        return followed
      },
    })
  },
})

const OPEN = { status: 'open', isProbe: false }
const PROBE = { status: 'open', isProbe: true }

test('a model in no trouble is open to all, and asks Redis nothing', async ({ cooling }) => {
  const cooldowns = await cooling.process()

  expect(cooldowns.isAny).toBe(false)
  expect(cooldowns.isCooling(MODEL)).toBe(false)
  expect(await cooldowns.ask(MODEL, 'a')).toEqual(OPEN)
  expect(await cooling.read()).toEqual(new Map())
})

test('cool() keeps a model from every process, and those that start later', async ({ cooling }) => {
  const [one, two] = [await cooling.process(), await cooling.process()]

  await one.cool(MODEL, 0)

  const until = cooling.clock.now + 1_000
  await eventually(() => expect(two.isCooling(MODEL)).toBe(true))
  const three = await cooling.process()
  for (const cooldowns of [one, two, three])
    expect(await cooldowns.ask(MODEL, 'a')).toEqual({ status: 'cooling', until, place: 0 })
  expect(await two.ask('acme/mini', 'a')).toEqual(OPEN)
  expect(await cooling.read()).toEqual(new Map([[MODEL, until]]))
})

test('cool() lasts as long as the provider asks', async ({ cooling }) => {
  const cooldowns = await cooling.process()

  await cooldowns.cool(MODEL, 60_000)

  expect(await cooling.read()).toEqual(new Map([[MODEL, cooling.clock.now + 60_000]]))
})

test('cool() by several that fail at once counts once', async ({ cooling }) => {
  const cooldowns = await cooling.process()

  await Promise.all(Array.from({ length: 5 }, () => cooldowns.cool(MODEL, 0)))

  expect(await cooling.read()).toEqual(new Map([[MODEL, cooling.clock.now + 1_000]]))
})

test('one task at a time may try a model whose cooldown is over', async ({ cooling }) => {
  const [one, two] = [await cooling.process(), await cooling.process()]
  await one.cool(MODEL, 0)
  await eventually(() => expect(two.isAny).toBe(true))

  cooling.clock.now += 1_000

  expect(await one.ask(MODEL, 'a')).toEqual(PROBE)
  expect(await two.ask(MODEL, 'b')).toMatchObject({ status: 'cooling', until: cooling.clock.now + 60_000 })
  // As after a take-over.
  expect(await two.ask(MODEL, 'a')).toEqual(PROBE)
  expect(await cooling.read()).toEqual(new Map([[MODEL, cooling.clock.now + 60_000]]))
})

test('a probe that is never heard of again makes room for the next', async ({ cooling }) => {
  const cooldowns = await cooling.process()
  await cooldowns.cool(MODEL, 0)
  cooling.clock.now += 1_000
  await cooldowns.ask(MODEL, 'a')

  cooling.clock.now += 60_000

  expect(await cooldowns.ask(MODEL, 'b')).toEqual(PROBE)
})

test('a probe that fails makes the cooldown longer, up to the longest', async ({ cooling }) => {
  const cooldowns = await cooling.process()
  const lengths: number[] = []
  for (let count = 0; count < 4; count += 1) {
    await cooldowns.ask(MODEL, 'a')
    await cooldowns.cool(MODEL, 0)
    const until = (await cooling.read()).get(MODEL)!
    lengths.push(until - cooling.clock.now)
    cooling.clock.now = until
  }

  expect(lengths).toEqual([1_000, 2_000, 3_000, 3_000])
})

test('a model that went well for an hour begins anew', async ({ cooling }) => {
  const cooldowns = await cooling.process()
  await cooldowns.cool(MODEL, 0)
  cooling.clock.now += 1_000 + 60 * 60_000 + 1

  await cooldowns.cool(MODEL, 0)

  expect(await cooling.read()).toEqual(new Map([[MODEL, cooling.clock.now + 1_000]]))
})

test('recovered() by the probe opens the model to all, and names who waited', async ({ cooling }) => {
  const [one, two] = [await cooling.process(), await cooling.process()]
  await one.cool(MODEL, 0)
  await eventually(() => expect(two.isAny).toBe(true))
  expect(await two.ask(MODEL, 'late', 20)).toMatchObject({ status: 'cooling', place: 0 })
  expect(await two.ask(MODEL, 'early', 10)).toMatchObject({ status: 'cooling', place: 0 })
  expect(await two.ask(MODEL, 'late', 20)).toMatchObject({ status: 'cooling', place: 1 })
  cooling.clock.now += 1_000
  expect(await one.ask(MODEL, 'probe')).toEqual(PROBE)

  expect(await two.recovered(MODEL, 'somebody')).toEqual([])
  expect(await one.recovered(MODEL, 'probe')).toEqual(['early', 'late'])

  await eventually(() => expect([one.isAny, two.isAny]).toEqual([false, false]))
  expect(await two.ask(MODEL, 'late')).toEqual(OPEN)
  expect(await one.recovered(MODEL, 'probe')).toEqual([])
})

test('a probe is no waiter any more', async ({ cooling }) => {
  const cooldowns = await cooling.process()
  await cooldowns.cool(MODEL, 0)
  await cooldowns.ask(MODEL, 'a', 10)
  cooling.clock.now += 1_000

  expect(await cooldowns.ask(MODEL, 'a', 10)).toEqual(PROBE)
  expect(await cooldowns.recovered(MODEL, 'a')).toEqual([])
})
